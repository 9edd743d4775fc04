"""``util.multiprocessing.Pool``: the standard library's pool, of actors."""

import os

import pytest

from rustyray.testing.conformance.helpers import until


def _pool(api, *args, **options):
    return api.util.multiprocessing.Pool(*args, **options)


def _inverse(value):
    return 1 / value


def _started(name, value):
    os.environ[name] = value


def _read(name):
    return os.environ.get(name)


def a_pool_maps(api):
    """``map``, ``starmap`` and ``apply`` do what the standard library's do."""
    with _pool(api, 2) as pool:
        assert pool.map(_inverse, [1, 2, 4]) == [1, 0.5, 0.25]
        assert pool.map(lambda x: x + 1, range(9), chunksize=4) == list(range(1, 10))
        assert pool.starmap(pow, [(2, 3), (3, 2)]) == [8, 9]
        assert pool.apply(pow, (2, 5)) == 32


def a_pool_maps_lazily(api):
    """``imap`` gives the results in order, ``imap_unordered`` as they come."""
    with _pool(api, 2) as pool:
        assert list(pool.imap(_inverse, [1, 2, 4])) == [1, 0.5, 0.25]
        assert sorted(pool.imap_unordered(_inverse, [1, 2, 4])) == [0.25, 0.5, 1]


def results_can_be_had_later(api):
    """``apply_async``, ``map_async`` and ``starmap_async`` give results with ``get``, ``ready`` and ``successful``."""
    with _pool(api, 2) as pool:
        one, some = pool.apply_async(_inverse, (4,)), pool.map_async(_inverse, [1, 2])
        assert one.get(timeout=60) == 0.25
        assert some.get(timeout=60) == [1, 0.5]
        assert pool.starmap_async(pow, [(2, 3)]).get(timeout=60) == [8]
        assert one.ready() and one.successful()


def errors_are_the_functions(api):
    """What the function raises is raised by ``map`` and by ``get``."""
    with _pool(api, 1) as pool:
        with pytest.raises(ZeroDivisionError):
            pool.map(_inverse, [1, 0])
        failing = pool.apply_async(_inverse, (0,))
        with pytest.raises(ZeroDivisionError):
            failing.get(timeout=60)
        assert not failing.successful()


def callbacks_are_called(api):
    """``callback`` is given the result, ``error_callback`` the error."""
    told = []
    with _pool(api, 1) as pool:
        pool.apply_async(_inverse, (4,), callback=told.append).get(timeout=60)
        pool.apply_async(_inverse, (0,), error_callback=told.append).wait(timeout=60)
        pool.close()
        pool.join()
    until(lambda: len(told) == 2)
    assert told[0] == 0.25
    assert isinstance(told[1], ZeroDivisionError)


def an_initializer_runs_first(api):
    """``initializer`` runs in each process before anything else."""
    with _pool(api, 1, initializer=_started, initargs=("CONFORM_STARTED", "yes")) as pool:
        assert pool.apply(_read, ("CONFORM_STARTED",)) == "yes"


def a_closed_pool_takes_no_more(api):
    """After ``close`` the pool takes no work: ValueError; ``join`` waits for what it has."""
    pool = _pool(api, 1)
    last = pool.map_async(_inverse, [1, 2])
    with pytest.raises(ValueError):
        pool.join()
    pool.close()
    with pytest.raises(ValueError):
        pool.map(_inverse, [1])
    pool.join()
    assert last.get(timeout=60) == [1, 0.5]


def more_processes_than_cpus_are_refused(api):
    """A pool of more processes than there are CPUs raises ValueError."""
    with pytest.raises(ValueError):
        _pool(api, 100)
