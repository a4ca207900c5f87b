// The engine contract.
