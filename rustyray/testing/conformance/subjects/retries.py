"""Retries of tasks: what runs again, and what does not."""

import os

import pytest

from rustyray.testing.conformance.helpers import book, got


def _dies(api, seen, before=1000, **options):
    """A task whose worker dies at each of its attempts before this one; the last one's number is its value."""

    def dies():
        attempt = api.get(seen.write.remote("attempt"))
        if attempt < before:
            os._exit(1)
        return attempt

    return api.remote(**options)(dies) if options else api.remote(dies)


def _raises(api, seen, before=1000, **options):
    """As `_dies`, but that it raises the error that it is given."""

    def raises(error):
        attempt = api.get(seen.write.remote("attempt"))
        if attempt < before:
            raise error
        return attempt

    return api.remote(**options)(raises) if options else api.remote(raises)


def _attempts(api, seen, ref, error):
    """How many attempts there have been when ``get`` raises the error."""
    with pytest.raises(error):
        got(api, ref)
    return len(got(api, seen.read.remote()))


def a_task_whose_worker_died_runs_again(api):
    """A task whose worker died is retried: three times, by default."""
    assert got(api, _dies(api, book(api), before=4).remote()) == 4


def retries_come_to_an_end(api):
    """When the retries are used up, ``get`` raises WorkerCrashedError."""
    seen = book(api)
    ref = _dies(api, seen, max_retries=1).remote()
    assert _attempts(api, seen, ref, api.exceptions.WorkerCrashedError) == 2


def no_retries(api):
    """With ``max_retries=0`` a task runs once at most."""
    seen = book(api)
    ref = _dies(api, seen, max_retries=0).remote()
    assert _attempts(api, seen, ref, api.exceptions.WorkerCrashedError) == 1


def endless_retries(api):
    """With ``max_retries=-1`` a task is retried until it succeeds."""
    assert got(api, _dies(api, book(api), before=6, max_retries=-1).remote()) == 6


def max_retries_can_be_given_for_a_call(api):
    """``.options(max_retries=…)`` is for that call."""
    seen = book(api)
    ref = _dies(api, seen, max_retries=5).options(max_retries=0).remote()
    assert _attempts(api, seen, ref, api.exceptions.WorkerCrashedError) == 1


def exceptions_are_not_retried(api):
    """An exception of the application is not retried, by default."""
    seen = book(api)
    assert _attempts(api, seen, _raises(api, seen).remote(ValueError()), ValueError) == 1


def exceptions_are_retried_on_demand(api):
    """With ``retry_exceptions=True`` any exception is retried, up to ``max_retries`` times."""
    seen = book(api)
    ref = _raises(api, seen, max_retries=2, retry_exceptions=True).remote(ValueError())
    assert _attempts(api, seen, ref, ValueError) == 3


def a_retry_can_succeed(api):
    """A retry that succeeds gives its value."""
    raises = _raises(api, book(api), before=2, max_retries=3, retry_exceptions=True)
    assert got(api, raises.remote(ValueError())) == 2


def some_exceptions_are_retried(api):
    """With a list in ``retry_exceptions``, only exceptions of these classes are retried."""
    seen = book(api)
    raises = _raises(api, seen, max_retries=2, retry_exceptions=[KeyError])
    assert _attempts(api, seen, raises.remote(ValueError("not listed")), ValueError) == 1
    assert _attempts(api, seen, raises.remote(KeyError("listed")), KeyError) == 4


def subclasses_are_retried_too(api):
    """An exception of a subclass of a listed class is retried."""
    seen = book(api)
    ref = _raises(api, seen, max_retries=1, retry_exceptions=[LookupError]).remote(KeyError())
    assert _attempts(api, seen, ref, KeyError) == 2


def exceptions_without_retries_are_final(api):
    """``retry_exceptions`` without retries left changes nothing."""
    seen = book(api)
    ref = _raises(api, seen, max_retries=0, retry_exceptions=True).remote(ValueError())
    assert _attempts(api, seen, ref, ValueError) == 1


def one_workers_death_leaves_other_tasks(api):
    """A worker that dies takes only its own task along."""

    @api.remote(max_retries=0)
    def dies():
        os._exit(1)

    @api.remote
    def fine(n):
        return n

    refs = [fine.remote(n) for n in range(20)]
    dead = dies.remote()
    refs += [fine.remote(n) for n in range(20, 40)]
    assert got(api, refs) == list(range(40))
    with pytest.raises(api.exceptions.WorkerCrashedError):
        got(api, dead)


def a_signal_kills_a_worker(api):
    """A worker that is killed by a signal has died, like any other."""
    import signal

    @api.remote(max_retries=0)
    def dies():
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(api.exceptions.WorkerCrashedError):
        got(api, dies.remote())


def a_lost_result_is_computed_again_by_its_dependents_retry(api):
    """A task that is retried gets its arguments again."""
    seen = book(api)

    @api.remote
    def dies_once(x):
        if api.get(seen.write.remote(x)) == 1:
            os._exit(1)
        return x

    ref = api.put("argument")
    assert got(api, dies_once.remote(ref)) == "argument"
    assert got(api, seen.read.remote()) == ["argument", "argument"]
