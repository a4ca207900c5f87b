# Thin: each target is a line or two that a person could type.
.PHONY: deps format lint

# What building, testing and the demonstration need (Debian packages; test servers into .tools/venv).
deps:
	@./.ci/deps

# Swift sources as .swift-format says.
format:
	swift format --in-place --parallel --configuration .swift-format -r Package.swift Sources Tests agent coordinator

lint:
	swift format lint --strict --parallel --configuration .swift-format -r Package.swift Sources Tests agent coordinator
