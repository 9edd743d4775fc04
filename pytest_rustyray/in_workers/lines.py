"""The lines that a worker runs, for pytest-cov.

Each worker writes a data file of its own, beside the one of the process that runs the tests, which pytest-cov combines
at the end. Workers may be killed at any time: so what a task has run is written before its result goes out.
"""

from __future__ import annotations

import json


class Lines:
    """Measures from now on."""

    def __init__(self, how: str) -> None:
        import coverage

        self._coverage = coverage.Coverage(data_suffix=True, messages=False, **json.loads(how))
        self._coverage.start()

    def write(self) -> None:
        """What was run since the last time."""
        self._coverage.get_data().write()
