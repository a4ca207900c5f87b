// The objects and the agent protocol's messages.
