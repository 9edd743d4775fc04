"""What surrounds the core, as in Ray."""
