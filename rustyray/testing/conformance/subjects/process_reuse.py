"""Which processes tasks run in, one after the other."""

import os
from collections import Counter

import pytest

from rustyray.testing.conformance.helpers import got, until
from rustyray.testing.machines.held import alive


def a_process_runs_it_only_so_often(api):
    """A process that has run a function ``max_calls`` times runs it no more, and no call is lost."""

    @api.remote(num_cpus=1, max_calls=2)
    def limited():
        return os.getpid()

    pids = Counter(got(api, [limited.remote() for _ in range(6)]))
    assert sum(pids.values()) == 6
    assert max(pids.values()) <= 2


def its_process_ends(api):
    """After the last of ``max_calls`` runs the process ends."""

    @api.remote(max_calls=1)
    def once():
        return os.getpid()

    pid = got(api, once.remote())
    until(lambda: not alive(pid))


def a_run_that_fails_counts(api):
    """A run that raises an error counts for ``max_calls`` as well."""

    @api.remote(max_calls=1)
    def fails():
        raise KeyError(os.getpid())

    pids = []
    for _ in range(2):
        with pytest.raises(KeyError) as raised:
            got(api, fails.remote())
        pids.append(raised.value.args[0])
    assert len(set(pids)) == 2


def what_it_put_outlives_max_calls(api):
    """What a task put is there after its process has run it for the last time."""

    @api.remote(max_calls=1)
    def puts():
        return [api.put("kept")]

    (ref,) = got(api, puts.remote())
    assert got(api, ref) == "kept"


def max_calls_belongs_to_the_function(api):
    """``.options(max_calls=…)`` raises ValueError."""

    @api.remote
    def f():
        return 1

    with pytest.raises(ValueError):
        f.options(max_calls=2)


def negative_max_calls_are_refused(api):
    """A negative ``max_calls`` raises ValueError."""
    with pytest.raises(ValueError):
        api.remote(max_calls=-1)(lambda: 1)


def gpu_tasks_get_a_new_process(api):
    """A function with ``num_gpus`` runs once in a process, unless ``max_calls`` says otherwise."""

    @api.remote(num_cpus=0, num_gpus=1)
    def on_gpu():
        return os.getpid()

    assert len({got(api, on_gpu.remote()) for _ in range(2)}) == 2
