"""``ray._private``: what test suites use of it."""
