"""Programs that others wrote, on RustyRay: each file installs one, runs its own tests, and says what fails.

``python -m benchmarks.clients.joblib`` or ``… .dask``, with ``--folder=PATH`` to keep what is installed.
"""
