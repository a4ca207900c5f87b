# Thin: each target is a line or two that a person could type. `make demo` and `make test` need nothing before them.
.PHONY: demo manifests check-manifests test unit simulate end-to-end build release images bench bench-cluster bench-fleet bench-webhook bench-cluster-mode deps format lint clean fuzz

# A real replica set, backed up beside its members, destroyed, restored, proven equal. KEEP=1 leaves it running.
demo: deps release
	@KEEP=$(KEEP) .build/release/remora-demo

# Every test: module by module, then whole flows on real servers one after the other.
test: deps lint check-manifests build unit simulate end-to-end

# One module at a time, coordinators on the API server by themselves, and sharded clusters one after the other: side by
# side they would starve each other on a small machine.
modules := BSON HTTPClient Kubernetes FakeAPIServer ObjectStorage Repository BackupModel Injector Coordinator Agent RemoraCLI \
	Support Engines
replicas := ^CoordinatorTests\.Cluster
clusters := ^(EnginesTests\.Cluster|SupportTests\.(Bank|CrossShard|Sharded))
unit:
	@set -e; for module in $(modules); do \
		swift test --skip-build --filter "^$${module}Tests\." --skip '$(replicas)|$(clusters)'; done
	swift test --skip-build --filter '$(replicas)'
	swift test --skip-build --filter '$(clusters)' --no-parallel

# The control plane against crashes, partitions, late and lost messages, in virtual time. SEED=n replays one seed,
# BREAK=ledger|store|record takes a protection away, which must be noticed (docs/explanation/invariants.md).
SEEDS ?= 20000
simulate:
	swift run -c release --package-path Tests/Simulation simulate $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) \
		$(if $(BREAK),--break $(BREAK))

# A real pod is among them where containers can be made; its images need a release build (docs/how-to/build-images.md).
has_containers := $(and $(shell command -v buildah),$(shell command -v podman),$(shell command -v mmdebstrap))
end-to-end: $(if $(has_containers),release)
	swift test --skip-build --filter '^EndToEnd\.' --no-parallel

# Random pods through the injector, PODS of them; what breaks a rule is printed with its seed, and SEED=n looks at that one.
# Built with everything else: behind a build of one product, the next one of all was seen to fail in linking.
PODS ?= 1000000
fuzz: release
	@.build/release/remora-fuzz $(PODS) $(SEED)

build:
	swift build --build-tests --explicit-target-dependency-import-check error

# With Swift's own libraries inside: what runs here runs where no Swift is, as in the images. Nobody loads anything into
# these programs: without a table of their symbols they are 4 MB smaller. Beside remora: kubectl-remora and
# kubectl_complete-remora (docs/how-to/use-kubectl-plugin.md).
release:
	swift build -c release --static-swift-stdlib -Xlinker --no-export-dynamic
	@./.ci/plugin .build/release

# Images of agent and coordinator, by buildah (.ci/deps-containers installs it); see docs/how-to/build-images.md.
# BASE=debian:bookworm-slim where that can be pulled; else a base image is made here.
images: release
	@BASE=$(BASE) .ci/images .build/release

# Speed and memory against the floors and against restic, as ratios of one run (DOCUMENTS=1000000), then the fleet.
bench: deps release
	@.build/release/remora-benchmark $(DOCUMENTS)
	@$(fleet)

# The backup of a sharded cluster against the dump of its slowest shard alone (DOCUMENTS=500000 on each of three shards).
bench-cluster: deps release
	@.build/release/remora-benchmark cluster $(DOCUMENTS)

# The coordinator with a fleet of played agents on loopback, AGENTS of them (at most 5000) in replica sets of MEMBERS:
# how soon jobs begin, what an agent that waits costs, what happens after a crash. About ten minutes.
AGENTS ?= 1000
MEMBERS ?= 3
fleet = .build/release/remora-benchmark-fleet $(AGENTS) $(MEMBERS)
bench-fleet: release
	@$(fleet)

# The installation on Kubernetes as one file.
manifests:
	manifests/render > manifests/install.yaml

check-manifests:
	@manifests/render | cmp - manifests/install.yaml || { echo "manifests/install.yaml is not current; run: make manifests" >&2; exit 1; }

# The admission webhook on one core: how soon a 20 KiB pod is answered over TLS, and how many a second (REVIEWS=20000).
bench-webhook: release
	@.build/release/remora-benchmark-webhook $(REVIEWS)

# The coordinator on Kubernetes with many pods and configurations (CACHED=10000, CONFIGURATIONS=1000): memory, what it asks
# while nothing happens, and how long nobody leads when the leader is gone. About ten minutes; the API server is the tests'.
bench-cluster-mode: release
	@.build/release/remora-benchmark-cluster-mode $(CACHED) $(CONFIGURATIONS)

# What building, testing and the demonstration need (Debian packages; test servers into .tools/venv).
deps:
	@./.ci/deps

# Swift sources as .swift-format says.
sources := Package.swift Sources Tests agent coordinator benchmarks
format:
	swift format --in-place --parallel --configuration .swift-format -r $(sources)

lint:
	swift format lint --strict --parallel --configuration .swift-format -r $(sources)

clean:
	swift package clean
