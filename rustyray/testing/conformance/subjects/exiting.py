"""``sys.exit`` in tasks and actors, which ends the process that they run in."""

import os
import sys

import pytest

from rustyray.testing.conformance.helpers import book, dead, got, until


def _leaves(api, **options):
    """An actor class whose method calls ``sys.exit``."""

    class Leaving:
        def leave(self, code):
            sys.exit(code)

        def pid(self):
            return os.getpid()

    return api.remote(**options)(Leaving) if options else api.remote(Leaving)


def a_task_that_exits_is_a_crash(api):
    """A task that calls ``sys.exit`` ends its worker: without retries its ref raises WorkerCrashedError."""

    @api.remote(max_retries=0)
    def leaves(code):
        sys.exit(code)

    for code in (0, 3):
        with pytest.raises(api.exceptions.WorkerCrashedError):
            got(api, leaves.remote(code))


def a_task_that_exits_is_retried(api):
    """A task that calls ``sys.exit`` is retried, as after any death of its worker."""
    seen = book(api)

    @api.remote(max_retries=2)
    def leaves():
        attempt = api.get(seen.write.remote("attempt"))
        if attempt < 3:
            sys.exit(0)
        return attempt

    assert got(api, leaves.remote()) == 3


def a_generator_that_exits_keeps_its_items(api):
    """What was read of a generator before it calls ``sys.exit`` is there; then its refs raise WorkerCrashedError."""

    # It waits for its reader: on Ray, what is on its way may be lost with the process.
    @api.remote(max_retries=0, _generator_backpressure_num_objects=1)
    def leaves():
        yield 1
        sys.exit(0)

    items = leaves.remote()
    assert got(api, next(items)) == 1
    with pytest.raises(api.exceptions.WorkerCrashedError):
        got(api, next(items))


def an_actor_that_exits_is_not_restarted(api):
    """An actor whose method calls ``sys.exit(0)`` ends as by ``exit_actor``: it is not restarted."""
    for options in ({}, {"max_concurrency": 2}):
        actor = _leaves(api, max_restarts=-1, max_task_retries=-1, **options).remote()
        with pytest.raises(api.exceptions.ActorDiedError):
            got(api, actor.leave.remote(0))
        dead(api, actor)


def an_actor_that_exits_runs_exit_handlers(api, tmp_path):
    """``sys.exit`` in an actor's method runs ``atexit`` handlers."""
    ended = tmp_path / "ended"

    @api.remote
    class Actor:
        def leave(self):
            import atexit

            atexit.register(ended.touch)
            sys.exit(0)

    actor = Actor.remote()
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.leave.remote())
    until(ended.exists)


def an_actor_that_exits_with_a_code_has_failed(api):
    """An actor whose method calls ``sys.exit`` with another code than 0, or none, has failed: it may be restarted."""
    actor = _leaves(api, max_restarts=1, max_task_retries=0).remote()
    first = got(api, actor.pid.remote())
    with pytest.raises(api.exceptions.RayActorError):
        got(api, actor.leave.remote(3))
    second = got(api, actor.pid.options(max_task_retries=-1).remote())
    assert first != second
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.leave.remote(None))
    dead(api, actor)


def a_thread_that_exits_ends_itself(api):
    """``sys.exit`` in a thread of the task's own ends that thread alone."""

    @api.remote
    def fine():
        import threading

        thread = threading.Thread(target=sys.exit, args=(3,))
        thread.start()
        thread.join()
        return "fine"

    assert got(api, fine.remote()) == "fine"


def an_interrupt_of_the_tasks_own_is_an_error(api):
    """A KeyboardInterrupt that a task raises itself arrives as a TaskCancelledError, which interrupts nobody."""

    @api.remote(max_retries=0)
    def interrupts():
        raise KeyboardInterrupt

    with pytest.raises(api.exceptions.RayError) as caught:
        got(api, interrupts.remote())
    assert isinstance(caught.value, api.exceptions.TaskCancelledError)
    assert not isinstance(caught.value, KeyboardInterrupt)
