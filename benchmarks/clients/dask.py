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

#: Tests that cannot pass where tasks run in other processes, by the reason. They fail on Ray as well.
NOT_OURS = {
    "results are read-only": (
        "test_numpy_asarray_copy_true test_numpy_asarray_copy_none test_numpy_asarray_copy_default test_compute_copy"
    ),
    "tasks are to change what lies in this process": (
        "test_store test_store_delayed_target test_store_regions test_store_compute_false test_store_method_return "
        "test_store_multiprocessing_lock test_store_sources_unoptimized_nocompute test_memmap test_from_array_getitem "
        "test_to_delayed_optimize_graph"
    ),
    "a lock of this process goes to tasks": (
        "test_store_locks_failure_lock_released test_store_locks_one_lock_two_stores test_store_locks_no_lock "
        "test_store_locks_dont_assume_threadsafe test_store_locks_count_calls test_from_array_with_lock"
    ),
    "a result is to be the very object that went in": (
        "test_traverse_false test_repartition_partition_size_complex_dtypes test_bag_with_single_callable"
    ),
    "a task warns where it runs": (
        "test_take_npartitions_warn test_array_cumreduction_axis test_nanquantile_all_nan test_average_raises"
    ),
    "a task returns a generator": "test_from_delayed_iterator test_reductions_are_lazy",
    "the scheduler is to be another": (
        "test_get_scheduler test_compute_array_bag test_persist_array_bag test_num_workers_config"
    ),
}


def main() -> None:
    place = folder("dask")
    python = install(place, ["dask[complete]", "numpy", "pandas", "pytest-mock"])
    where = subprocess.run(
        [python, "-c", "import dask; print(dask.__path__[0])"], capture_output=True, text=True, check=True
    )
    dask = Path(where.stdout.strip())
    failed = 0
    for test in TESTS:
        print(test, flush=True)
        failed += run_tests(python, "benchmarks.clients.with_dask", [str(dask / test)], place, (), NOT_OURS)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
