// Real servers for tests.
