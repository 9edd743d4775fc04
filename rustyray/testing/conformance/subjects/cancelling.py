"""``cancel`` of tasks."""

import time

import pytest

from rustyray.testing.conformance.helpers import book, entered, gate, got, settled, until


def _spins(api, door, **options):
    """A task that waits at the gate."""

    def spins():
        api.get(door.enter.remote())

    return api.remote(**options)(spins) if options else api.remote(spins)


def _running(api, door, **options):
    """The ref of such a task, which has begun."""
    ref = _spins(api, door, **options).remote()
    entered(api, door)
    return ref


def _writes(api, seen, **options):
    """A task that writes down that it ran; it takes an argument that it may wait for."""

    def writes(_):
        api.get(seen.write.remote("ran"))

    return api.remote(**options)(writes) if options else api.remote(writes)


def _is_cancelled(api, ref):
    with pytest.raises(api.exceptions.TaskCancelledError):
        got(api, ref)


def _never_ran(api, door, first, seen):
    """Nothing was written down when what was waited for has ended."""
    api.get(door.open.remote())
    got(api, first)
    assert got(api, seen.read.remote()) == []


def a_running_task_is_interrupted(api):
    """Cancelling a running task interrupts it; its ref raises TaskCancelledError."""
    door = gate(api)
    ref = _running(api, door)
    api.cancel(ref)
    _is_cancelled(api, ref)


def a_cancelled_task_gets_a_keyboard_interrupt(api, tmp_path):
    """A running task that is cancelled gets a KeyboardInterrupt."""
    began, interrupted = tmp_path / "began", tmp_path / "interrupted"

    @api.remote
    def spins():
        try:
            began.touch()
            while True:
                time.sleep(0.005)
        except KeyboardInterrupt:
            interrupted.touch()
            raise

    ref = spins.remote()
    until(began.exists)
    api.cancel(ref)
    _is_cancelled(api, ref)
    until(interrupted.exists)


def a_queued_task_never_runs(api):
    """A task that is cancelled while it waits for its argument never runs."""
    seen, door = book(api), gate(api)
    first = _spins(api, door).remote()
    second = _writes(api, seen).remote(first)
    entered(api, door)
    api.cancel(second)
    _is_cancelled(api, second)
    _never_ran(api, door, first, seen)


def cancelling_what_is_done_does_nothing(api):
    """Cancelling a task that is done does nothing: its value stays."""

    @api.remote
    def f():
        return 1

    ref = f.remote()
    settled(api, ref)
    api.cancel(ref)
    assert got(api, ref) == 1


def force_kills_the_worker(api):
    """``force=True`` kills the worker: the ref raises WorkerCrashedError or TaskCancelledError."""
    door = gate(api)
    ref = _running(api, door)
    api.cancel(ref, force=True)
    with pytest.raises((api.exceptions.WorkerCrashedError, api.exceptions.TaskCancelledError)):
        got(api, ref)


def a_cancelled_task_is_not_retried(api):
    """A cancelled task is not retried, whatever retries it has."""
    seen, door = book(api), gate(api)

    @api.remote(max_retries=5, retry_exceptions=True)
    def spins():
        api.get(seen.write.remote("ran"))
        api.get(door.enter.remote())

    ref = spins.remote()
    entered(api, door)
    api.cancel(ref)
    _is_cancelled(api, ref)
    assert got(api, seen.read.remote()) == ["ran"]


def children_are_cancelled_too(api):
    """Cancelling a task cancels the tasks that it has submitted, by default."""
    door = gate(api)
    child, seen = _spins(api, door), book(api)

    @api.remote
    def tells(refs):
        api.get(seen.write.remote(refs))

    @api.remote
    def outer():
        ref = child.remote()
        api.get(tells.remote([ref]))
        api.get(ref)

    ref = outer.remote()
    entered(api, door)
    inner = until(lambda: got(api, seen.read.remote()))[0][0]
    api.cancel(ref)
    for one in (ref, inner):
        with pytest.raises((api.exceptions.TaskCancelledError, api.exceptions.RayError)):
            got(api, one)


def cancel_is_for_refs(api):
    """``cancel`` of anything but a ref raises TypeError."""
    with pytest.raises(TypeError):
        api.cancel(1)


def a_task_without_resources_never_runs(api):
    """A task that is cancelled while it waits for resources never runs."""
    seen, door = book(api), gate(api)
    first = _running(api, door, resources={"widget": 4})
    second = _writes(api, seen, resources={"widget": 4}).remote(None)
    api.cancel(second)
    _is_cancelled(api, second)
    _never_ran(api, door, first, seen)


def a_task_that_can_never_run(api):
    """A task that no node has the resources for can be cancelled."""
    ref = _spins(api, gate(api), resources={"unobtainium": 1}).remote()
    api.cancel(ref)
    _is_cancelled(api, ref)


def a_queued_task_is_cancelled_with_force(api):
    """``force=True`` works for a task that waits for its argument, too."""
    seen, door = book(api), gate(api)
    first = _spins(api, door).remote()
    second = _writes(api, seen).remote(first)
    entered(api, door)
    api.cancel(second, force=True)
    _is_cancelled(api, second)
    _never_ran(api, door, first, seen)


def cancel_returns_at_once(api):
    """``cancel`` returns None, and does not wait for the task."""
    door = gate(api)
    ref = _running(api, door)
    assert api.cancel(ref) is None
    _is_cancelled(api, ref)


def cancel_again_does_nothing(api):
    """Cancelling a task twice does no more than once."""
    door = gate(api)
    ref = _running(api, door)
    api.cancel(ref)
    api.cancel(ref)
    settled(api, ref)
    api.cancel(ref)
    _is_cancelled(api, ref)


def a_cancelled_task_is_ready(api):
    """``wait`` returns the ref of a cancelled task as ready."""
    door = gate(api)
    ref = _running(api, door)
    api.cancel(ref)
    assert api.wait([ref], timeout=60) == ([ref], [])


def what_needs_a_cancelled_task_fails(api):
    """A task whose argument was cancelled fails, and does not run."""
    seen, door = book(api), gate(api)
    first = _spins(api, door).remote()
    second = _writes(api, seen).remote(first)
    entered(api, door)
    api.cancel(first)
    with pytest.raises(api.exceptions.RayError):
        got(api, second)
    assert got(api, seen.read.remote()) == []


def all_returns_are_cancelled(api):
    """Cancelling one return of a task cancels all of them."""
    door = gate(api)
    one, other = _spins(api, door, num_returns=2).remote()
    entered(api, door)
    api.cancel(one)
    for ref in (one, other):
        _is_cancelled(api, ref)


def a_cancelled_errors_class(api):
    """TaskCancelledError is a RayError."""
    assert issubclass(api.exceptions.TaskCancelledError, api.exceptions.RayError)


def cancelling_a_failed_task_keeps_its_error(api):
    """Cancelling a task that has failed changes nothing: its ref raises its own error."""

    @api.remote
    def fails():
        raise KeyError("bad")

    ref = fails.remote()
    settled(api, ref)
    api.cancel(ref)
    with pytest.raises(KeyError):
        got(api, ref)


def a_task_cancels_its_child(api):
    """A task can cancel what it has submitted, and goes on itself."""
    door = gate(api)
    child = _spins(api, door)

    @api.remote
    def parent():
        ref = child.remote()
        while not api.get(door.entered.remote()):
            time.sleep(0.005)
        api.cancel(ref)
        try:
            api.get(ref)
        except api.exceptions.TaskCancelledError:
            return "cancelled"

    assert got(api, parent.remote()) == "cancelled"


def children_may_stay(api):
    """With ``recursive=False`` the tasks that a cancelled task has submitted go on."""
    door, seen = gate(api), book(api)

    @api.remote
    def child():
        api.get(door.enter.remote())
        api.get(seen.write.remote("went on"))

    @api.remote
    def parent():
        api.get(child.remote())

    ref = parent.remote()
    entered(api, door)
    api.cancel(ref, recursive=False)
    _is_cancelled(api, ref)
    api.get(door.open.remote())
    until(lambda: got(api, seen.read.remote()) == ["went on"])


def cpus_are_free_after_a_cancel(api):
    """What a cancelled task held is free for others."""
    door = gate(api)
    ref = _running(api, door, num_cpus=4)
    api.cancel(ref)
    _is_cancelled(api, ref)

    @api.remote(num_cpus=4)
    def f():
        return "ran"

    assert got(api, f.remote()) == "ran"
