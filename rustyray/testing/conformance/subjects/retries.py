"""Retries: what runs again, and what does not."""

import os

import pytest

from rustyray.testing.conformance.helpers import book, got, until


def a_task_whose_worker_died_runs_again(api):
    """A task whose worker died is retried: three times, by default."""
    seen = book(api)

    @api.remote
    def dies():
        if api.get(seen.write.remote("attempt")) < 4:
            os._exit(1)
        return "fourth"

    assert got(api, dies.remote()) == "fourth"


def retries_come_to_an_end(api):
    """When the retries are used up, ``get`` raises WorkerCrashedError."""
    seen = book(api)

    @api.remote(max_retries=1)
    def dies():
        api.get(seen.write.remote("attempt"))
        os._exit(1)

    with pytest.raises(api.exceptions.WorkerCrashedError):
        got(api, dies.remote())
    assert len(got(api, seen.read.remote())) == 2


def no_retries(api):
    """With ``max_retries=0`` a task runs once at most."""
    seen = book(api)

    @api.remote(max_retries=0)
    def dies():
        api.get(seen.write.remote("attempt"))
        os._exit(1)

    with pytest.raises(api.exceptions.WorkerCrashedError):
        got(api, dies.remote())
    assert len(got(api, seen.read.remote())) == 1


def endless_retries(api):
    """With ``max_retries=-1`` a task is retried until it succeeds."""
    seen = book(api)

    @api.remote(max_retries=-1)
    def dies():
        if api.get(seen.write.remote("attempt")) < 6:
            os._exit(1)
        return "sixth"

    assert got(api, dies.remote()) == "sixth"


def max_retries_can_be_given_for_a_call(api):
    """``.options(max_retries=…)`` is for that call."""
    seen = book(api)

    @api.remote(max_retries=5)
    def dies():
        api.get(seen.write.remote("attempt"))
        os._exit(1)

    with pytest.raises(api.exceptions.WorkerCrashedError):
        got(api, dies.options(max_retries=0).remote())
    assert len(got(api, seen.read.remote())) == 1


def exceptions_are_not_retried(api):
    """An exception of the application is not retried, by default."""
    seen = book(api)

    @api.remote
    def fails():
        api.get(seen.write.remote("attempt"))
        raise ValueError

    with pytest.raises(ValueError):
        got(api, fails.remote())
    assert len(got(api, seen.read.remote())) == 1


def exceptions_are_retried_on_demand(api):
    """With ``retry_exceptions=True`` any exception is retried, up to ``max_retries`` times."""
    seen = book(api)

    @api.remote(max_retries=2, retry_exceptions=True)
    def fails():
        raise ValueError(api.get(seen.write.remote("attempt")))

    with pytest.raises(ValueError):
        got(api, fails.remote())
    assert len(got(api, seen.read.remote())) == 3


def a_retry_can_succeed(api):
    """A retry that succeeds gives its value."""
    seen = book(api)

    @api.remote(max_retries=3, retry_exceptions=True)
    def fails_once():
        if api.get(seen.write.remote("attempt")) == 1:
            raise ValueError
        return "second"

    assert got(api, fails_once.remote()) == "second"


def some_exceptions_are_retried(api):
    """With a list in ``retry_exceptions``, only exceptions of these classes are retried."""
    seen = book(api)

    @api.remote(max_retries=2, retry_exceptions=[KeyError])
    def fails(error):
        api.get(seen.write.remote("attempt"))
        raise error

    with pytest.raises(ValueError):
        got(api, fails.remote(ValueError("not listed")))
    assert len(got(api, seen.read.remote())) == 1
    with pytest.raises(KeyError):
        got(api, fails.remote(KeyError("listed")))
    assert len(got(api, seen.read.remote())) == 4


def subclasses_are_retried_too(api):
    """An exception of a subclass of a listed class is retried."""
    seen = book(api)

    @api.remote(max_retries=1, retry_exceptions=[LookupError])
    def fails():
        api.get(seen.write.remote("attempt"))
        raise KeyError

    with pytest.raises(KeyError):
        got(api, fails.remote())
    assert len(got(api, seen.read.remote())) == 2


def exceptions_without_retries_are_final(api):
    """``retry_exceptions`` without retries left changes nothing."""
    seen = book(api)

    @api.remote(max_retries=0, retry_exceptions=True)
    def fails():
        api.get(seen.write.remote("attempt"))
        raise ValueError

    with pytest.raises(ValueError):
        got(api, fails.remote())
    assert len(got(api, seen.read.remote())) == 1


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


def an_actor_is_not_restarted(api):
    """An actor whose process dies stays dead, by default."""

    @api.remote
    class Actor:
        def die(self):
            os._exit(1)

        def f(self):
            return 1

    actor = Actor.remote()
    got(api, actor.f.remote())
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.die.remote())
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.f.remote())


def an_actor_restarts(api):
    """With ``max_restarts`` an actor is made again, by its constructor, when its process died."""

    @api.remote(max_restarts=1, max_task_retries=-1)
    class Counter:
        def __init__(self):
            self.count = 0

        def add(self):
            self.count += 1
            return self.count

        def pid(self):
            return os.getpid()

    actor = Counter.remote()
    assert got(api, [actor.add.remote(), actor.add.remote()]) == [1, 2]
    _kill(api, got(api, actor.pid.remote()))
    assert got(api, actor.add.remote()) == 1


def _kill(api, pid):
    """Have a task kill a process."""
    import signal

    @api.remote
    def kill():
        os.kill(pid, signal.SIGKILL)

    got(api, kill.remote())


def _another(api, actor, pids):
    """The process of an actor, when it is none of those before."""
    return until(lambda: next(iter({got(api, actor.pid.remote())} - pids), None))


def restarts_come_to_an_end(api):
    """When its restarts are used up an actor is dead."""

    @api.remote(max_restarts=2, max_task_retries=-1)
    class Actor:
        def pid(self):
            return os.getpid()

    actor, pids = Actor.remote(), set()
    for _ in range(3):
        pid = _another(api, actor, pids)
        pids.add(pid)
        _kill(api, pid)
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.pid.remote())
    assert len(pids) == 3


def calls_run_at_most_once(api):
    """A call whose actor died is not made again, by default, even where the actor restarts."""
    seen = book(api)

    @api.remote(max_restarts=1)
    class Actor:
        def die(self):
            api.get(seen.write.remote("call"))
            os._exit(1)

    actor = Actor.remote()
    with pytest.raises(api.exceptions.RayActorError):
        got(api, actor.die.remote())
    assert got(api, seen.read.remote()) == ["call"]


def calls_are_made_again_on_demand(api):
    """With ``max_task_retries`` a call whose actor died is made again when the actor is back."""
    seen = book(api)

    @api.remote(max_restarts=2, max_task_retries=2)
    class Actor:
        def die_once(self):
            if api.get(seen.write.remote("call")) == 1:
                os._exit(1)
            return "second"

    assert got(api, Actor.remote().die_once.remote()) == "second"


def an_actors_exceptions_are_retried_on_demand(api):
    """A method with ``retry_exceptions=True`` and ``max_task_retries`` is called again when it raises."""
    seen = book(api)

    @api.remote(max_task_retries=3)
    class Actor:
        @api.method(retry_exceptions=True)
        def fails_twice(self):
            if api.get(seen.write.remote("call")) < 3:
                raise ValueError
            return "third"

    assert got(api, Actor.remote().fails_twice.remote()) == "third"


def a_restarted_actor_knows_it(api):
    """``was_current_actor_reconstructed`` tells an actor whether it was restarted."""

    @api.remote(max_restarts=1, max_task_retries=-1)
    class Actor:
        def again(self):
            return api.get_runtime_context().was_current_actor_reconstructed, os.getpid()

    actor = Actor.remote()
    before, pid = got(api, actor.again.remote())
    _kill(api, pid)
    after, other = got(api, actor.again.remote())
    assert (before, after) == (False, True)
    assert pid != other


def kill_without_no_restart_restarts(api):
    """``kill(no_restart=False)`` lets the actor restart, if it has restarts left."""

    @api.remote(max_restarts=1, max_task_retries=-1)
    class Actor:
        def pid(self):
            return os.getpid()

    actor = Actor.remote()
    before = got(api, actor.pid.remote())
    api.kill(actor, no_restart=False)
    assert _another(api, actor, {before}) != before


def kill_is_final(api):
    """``kill`` ends an actor for good, whatever restarts it has left."""

    @api.remote(max_restarts=-1, max_task_retries=-1)
    class Actor:
        def f(self):
            return 1

    actor = Actor.remote()
    got(api, actor.f.remote())
    api.kill(actor)
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.f.remote())


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
