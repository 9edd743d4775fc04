"""The pytest plugin: runtimes for tests, as fixtures. Importing it does not import the runtime."""
