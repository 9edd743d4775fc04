"""joblib's own tests of its backends, with ``"ray"`` in the place of its backends of processes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.clients.frame import folder, install, run_tests

#: Tests of what joblib's own backends do inside: their pools, their warnings, their memory maps.
NOT_OURS = (
    "mmap or memmap or loky or multiprocessing_context or dask or thread_bomb or custom_loky or initializer or "
    "sharedmem or warning or warns or abort_backend or invalid_backend or backend_hinting or external_backends or "
    # What another of its backends starts has not been told of "ray"; and a manager of `multiprocessing` lets in only
    # processes that `multiprocessing` has started.
    "back_compat_backend-r or test_dispatch_multiprocessing"
)

#: Lines of its test module, and what stands there instead.
LISTS = {
    r"^    PROCESS_BACKENDS = \[.*\]$": '    PROCESS_BACKENDS = ["ray"]',
    r"^PARALLEL_BACKENDS = .*$": 'PARALLEL_BACKENDS = ["ray"]',
    r"^ALL_VALID_BACKENDS = .*$": 'ALL_VALID_BACKENDS = ["ray"]',
    r"^ALL_VALID_BACKENDS \+= .*$": "",
    r"^    ALL_VALID_BACKENDS\.append.*$": "    pass",
    r"^RETURN_GENERATOR_BACKENDS = .*$": 'RETURN_GENERATOR_BACKENDS = {"ray": None}',
    # Programs that tests start know the backend as well.
    r"^from joblib import Parallel, delayed$": (
        "from joblib import Parallel, delayed\nfrom rustyray.util.joblib import register_ray\nregister_ray()"
    ),
}


def main() -> None:
    place = folder("joblib")
    python = install(place, ["joblib", "numpy", "threadpoolctl"])
    where = subprocess.run(
        [python, "-c", "import joblib; print(joblib.__path__[0])"], capture_output=True, text=True, check=True
    )
    tests = place / "tests"
    tests.mkdir(exist_ok=True)
    copy = tests / "test_parallel.py"
    copy.write_text(with_ray(Path(where.stdout.strip(), "test", "test_parallel.py").read_text()))
    sys.exit(run_tests(python, "benchmarks.clients.with_joblib", [str(copy)], tests, ["-k", f"not ({NOT_OURS})"]) > 0)


def with_ray(source: str) -> str:
    """joblib's test module, with the lists of backends that it goes through changed."""
    for line, instead in LISTS.items():
        source = re.sub(line, instead, source, flags=re.MULTILINE)
    return source


if __name__ == "__main__":
    main()
