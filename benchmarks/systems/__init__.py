"""One adapter per system, each with a ``create()`` that returns it."""
