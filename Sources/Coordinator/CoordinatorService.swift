// The coordinator.
