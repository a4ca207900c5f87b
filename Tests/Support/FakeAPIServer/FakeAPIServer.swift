/// A Kubernetes API server for tests, as strict as a real one: what that refuses, this refuses.
public enum FakeAPIServer {}
