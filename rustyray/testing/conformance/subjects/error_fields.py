"""What errors know of what went wrong."""

import os

import numpy as np
import pytest

from rustyray.testing.conformance.helpers import got, until


def task_errors_know_their_process(api):
    """A task's error has the pid of its worker, the address of its node, and the name of its function."""

    @api.remote
    def pid_and_fail(fail):
        if fail:
            raise ValueError(os.getpid())
        return os.getpid()

    with pytest.raises(api.exceptions.RayTaskError) as raised:
        got(api, pid_and_fail.remote(True))
    assert raised.value.pid == raised.value.cause.args[0]
    assert raised.value.ip == api.util.get_node_ip_address()
    assert "pid_and_fail" in raised.value.function_name
    assert "ValueError" in raised.value.traceback_str


def actors_errors_show_the_actor(api):
    """The error of an actor's call names the method, and shows the actor's ``repr``."""

    @api.remote
    class Shown:
        def __repr__(self):
            return "<the shown one>"

        def fail(self):
            raise ValueError("no")

    with pytest.raises(api.exceptions.RayTaskError) as raised:
        got(api, Shown.remote().fail.remote())
    assert "Shown.fail" in raised.value.function_name
    assert "<the shown one>" in str(raised.value)


def a_crash_is_no_preemption(api):
    """``preempted`` of an actor's error is False where nobody took its node away."""

    @api.remote
    class A:
        def die(self):
            os._exit(1)

    with pytest.raises(api.exceptions.RayActorError) as raised:
        got(api, A.remote().die.remote())
    assert not raised.value.preempted


def lost_objects_know_themselves(api):
    """An ObjectLostError has ``object_ref_hex``, ``owner_address`` and ``call_site``."""

    @api.remote
    class Owner:
        def make(self):
            return [api.put(np.ones(50_000))]

        def die(self):
            os._exit(1)

    owner = Owner.remote()
    [ref] = got(api, owner.make.remote())
    with pytest.raises(api.exceptions.RayActorError):
        got(api, owner.die.remote())
    with pytest.raises(api.exceptions.ObjectLostError) as raised:
        until(lambda: got(api, ref) is None)
    assert raised.value.object_ref_hex == ref.hex()
    assert hasattr(raised.value, "owner_address")
    assert hasattr(raised.value, "call_site")
    assert ref.hex() in str(raised.value)


def cancelled_tasks_are_named(api):
    """A TaskCancelledError has the id of its task."""

    @api.remote(resources={"no such thing": 1})
    def never():
        return None

    ref = never.remote()
    api.cancel(ref)
    with pytest.raises(api.exceptions.TaskCancelledError) as raised:
        got(api, ref)
    assert ref.task_id().hex() in str(raised.value)


def errors_have_their_families(api):
    """What the system raises has its classes, each of them a RayError."""
    x = api.exceptions
    for name in (
        "GetTimeoutError",
        "NodeDiedError",
        "ObjectStoreFullError",
        "OutOfDiskError",
        "OutOfMemoryError",
        "PendingCallsLimitExceeded",
        "RaySystemError",
        "RuntimeEnvSetupError",
        "TaskCancelledError",
        "TaskPlacementGroupRemoved",
        "TaskUnschedulableError",
        "ActorPlacementGroupRemoved",
        "ActorUnschedulableError",
        "WorkerCrashedError",
    ):
        assert issubclass(getattr(x, name), x.RayError), name


def lost_objects_have_their_kinds(api):
    """An object can be lost with its owner, be freed, fail to be made again, or not be fetched in time."""
    x = api.exceptions
    for name in (
        "OwnerDiedError",
        "ObjectFreedError",
        "ObjectFetchTimedOutError",
        "ObjectReconstructionFailedError",
        "ReferenceCountingAssertionError",
    ):
        assert issubclass(getattr(x, name), x.ObjectLostError), name
