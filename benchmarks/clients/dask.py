"""dask's own tests of its collections, computed by `ray_dask_get` whichever scheduler they name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.clients.frame import folder, install, run_tests

TESTS = (
    "tests/test_delayed.py",
    "tests/test_base.py",
    "bag/tests/test_bag.py",
    "array/tests/test_array_core.py",
    "array/tests/test_reductions.py",
    "array/tests/test_routines.py",
)


def main() -> None:
    place = folder("dask")
    python = install(place, ["dask[complete]", "numpy", "pandas"])
    where = subprocess.run(
        [python, "-c", "import dask; print(dask.__path__[0])"], capture_output=True, text=True, check=True
    )
    dask = Path(where.stdout.strip())
    failed = 0
    for test in TESTS:
        print(test, flush=True)
        failed += run_tests(python, "benchmarks.clients.with_dask", [str(dask / test)], place)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
