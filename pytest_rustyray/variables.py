"""What the environment tells the workers of a run."""

from __future__ import annotations

from typing import Final

#: How much of a failed comparison to show, as ``-v`` tells pytest.
VERBOSITY: Final = "PYTEST_RUSTYRAY_VERBOSITY"
#: The file with the patches of the test that runs.
PATCHES: Final = "PYTEST_RUSTYRAY_PATCHES"
#: How to measure which lines run: arguments of `coverage.Coverage`, as JSON.
COVERAGE: Final = "PYTEST_RUSTYRAY_COVERAGE"
