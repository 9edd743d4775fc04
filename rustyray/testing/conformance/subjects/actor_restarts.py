"""What happens when an actor's process dies: its calls, its restarts, and their retries."""

import os

import pytest

from rustyray.testing.conformance.helpers import book, counting, got, until


def _works_again(api, actor):
    """What it says to a call as soon as it answers again."""

    def works():
        try:
            return got(api, actor.add.remote())
        except api.exceptions.ActorUnavailableError:
            return None

    return until(works)


def _kill(api, pid):
    """Have a task kill a process."""
    import signal

    @api.remote
    def kill():
        os.kill(pid, signal.SIGKILL)

    got(api, kill.remote())


def a_death_fails_the_call_and_the_actor(api):
    """When its process dies an actor is dead: the call that ran and later ones raise ActorDiedError."""
    actor = counting(api).remote()
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.die.remote())
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.add.remote())


def an_actors_death_names_the_actor(api):
    """An ActorDiedError has the actor's id, and is a RayActorError and a RayError."""
    actor = counting(api).remote()
    with pytest.raises(api.exceptions.ActorDiedError) as caught:
        got(api, actor.die.remote())
    assert caught.value.actor_id == actor._actor_id.hex()
    assert isinstance(caught.value, api.exceptions.RayActorError)
    assert isinstance(caught.value, api.exceptions.RayError)


def max_restarts_starts_it_anew(api):
    """With ``max_restarts`` an actor is made anew when its process dies, with its arguments and without its state."""
    actor = counting(api, max_restarts=1).remote(10)
    assert got(api, [actor.add.remote(), actor.add.remote()]) == [11, 12]
    with pytest.raises(api.exceptions.RayActorError):
        got(api, actor.die.remote())
    assert _works_again(api, actor) == 11


def restarts_come_to_an_end(api):
    """When its restarts are used up an actor is dead."""
    actor, pids = counting(api, max_restarts=2, max_task_retries=-1).remote(), set()
    for _ in range(3):
        pid = until(lambda: next(iter({got(api, actor.pid.remote())} - pids), None))
        pids.add(pid)
        _kill(api, pid)
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.pid.remote())
    assert len(pids) == 3


def restarts_without_end(api):
    """``max_restarts=-1`` restarts as often as the actor dies."""
    actor = counting(api, max_restarts=-1).remote()
    for _ in range(2):
        with pytest.raises(api.exceptions.RayActorError):
            got(api, actor.die.remote())
        assert _works_again(api, actor) == 1


def calls_run_at_most_once(api):
    """By default a call that died with its actor is not made again, though the actor is restarted."""
    seen = book(api)

    @api.remote(max_restarts=1)
    class Actor:
        def die(self):
            api.get(seen.write.remote("died"))
            os._exit(1)

        def add(self):
            return 1

    actor = Actor.remote()
    with pytest.raises(api.exceptions.RayActorError):
        got(api, actor.die.remote())
    _works_again(api, actor)
    assert got(api, seen.read.remote()) == ["died"]


def _fails_first(api, seen, **options):
    class Actor:
        def die(self, deaths):
            if api.get(seen.write.remote("tried")) <= deaths:
                os._exit(1)
            return "done"

    return api.remote(Actor).options(**options)


def max_task_retries_makes_calls_again(api):
    """With ``max_task_retries`` a call that died with its actor is made again when the actor is restarted."""
    seen = book(api)
    actor = _fails_first(api, seen, max_restarts=2, max_task_retries=9).remote()
    assert got(api, actor.die.remote(2)) == "done"
    assert got(api, seen.read.remote()) == ["tried"] * 3


def max_task_retries_have_an_end(api):
    """A call is made again at most ``max_task_retries`` times."""
    seen = book(api)
    actor = _fails_first(api, seen, max_restarts=-1, max_task_retries=1).remote()
    with pytest.raises(api.exceptions.RayActorError):
        got(api, actor.die.remote(9))
    assert got(api, seen.read.remote()) == ["tried"] * 2


def a_call_may_have_retries_of_its_own(api):
    """``.options(max_task_retries=…)`` is for that call."""
    seen = book(api)
    actor = _fails_first(api, seen, max_restarts=-1).remote()
    assert got(api, actor.die.options(max_task_retries=9).remote(1)) == "done"


def an_error_is_not_retried(api):
    """``max_task_retries`` does not repeat calls that raised, without ``retry_exceptions``."""
    seen = book(api)

    @api.remote(max_restarts=1, max_task_retries=3)
    class Actor:
        def fail(self):
            api.get(seen.write.remote("tried"))
            raise KeyError("bad")

    with pytest.raises(KeyError):
        got(api, Actor.remote().fail.remote())
    assert got(api, seen.read.remote()) == ["tried"]


def retry_exceptions_of_a_method(api):
    """A method with ``retry_exceptions=True`` is called again when it raised, in the same actor."""

    @api.remote(max_task_retries=3)
    class Actor:
        def __init__(self):
            self.tries = 0

        @api.method(retry_exceptions=True)
        def call(self):
            self.tries += 1
            if self.tries < 3:
                raise KeyError("not yet")
            return self.tries

    assert got(api, Actor.remote().call.remote()) == 3


def kill_does_not_restart(api):
    """``kill`` ends an actor for good, whatever ``max_restarts`` it has."""
    actor = counting(api, max_restarts=-1, max_task_retries=-1).remote()
    got(api, actor.add.remote())
    api.kill(actor)
    with pytest.raises(api.exceptions.ActorDiedError):
        until(lambda: got(api, actor.add.remote()) == 1)  # what one that was restarted would say


def kill_may_restart(api):
    """After ``kill(no_restart=False)`` an actor is restarted as after a death."""
    actor = counting(api, max_restarts=1, max_task_retries=-1).remote()
    pid = got(api, actor.pid.remote())
    api.kill(actor, no_restart=False)
    until(lambda: got(api, actor.pid.remote()) != pid)
    assert got(api, actor.reborn.remote()) is True


def retried_calls_keep_their_order(api):
    """Calls that are made again after a restart run in the order in which they were made."""
    seen = book(api)

    @api.remote(max_restarts=1, max_task_retries=-1)
    class Writes:
        def write(self, line):
            if api.get(seen.write.remote(line)) == 3:
                os._exit(1)
            return line

    writes = Writes.remote()
    assert got(api, [writes.write.remote(n) for n in range(10)]) == list(range(10))
    lines = got(api, seen.read.remote())
    assert lines[:3] == [0, 1, 2]
    assert list(dict.fromkeys(lines)) == list(range(10))


def calls_without_retries_fail_while_it_restarts(api):
    """A call without retries whose actor dies and restarts raises an error; calls after the restart run."""
    actor = counting(api, max_restarts=1, max_task_retries=0).remote()
    got(api, actor.add.remote())
    with pytest.raises(api.exceptions.RayActorError):
        got(api, actor.die.remote())
    assert _works_again(api, actor) == 1
