"""``ray._common``: what test suites use of it."""
