"""Ready-made hooks for ``init(_tracing_startup_hook=…)`` (module paths as in Ray)."""
