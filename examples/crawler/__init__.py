"""A crawler that retries a flaky server and takes pages as they arrive."""
