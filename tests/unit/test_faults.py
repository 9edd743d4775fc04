"""Exceptions as values: what a task raised, carried as `Failed`, and the runtime's `Fault`, raised again elsewhere."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import numpy as np
import pytest

import rustyray
from rustyray import exceptions as x
from rustyray.model.values import Failed, Fault, FaultKind
from rustyray.runtime import faults
from rustyray.runtime.ref import ObjectRef

HERE = {
    "function": "wordcount.count_words",
    "task": b"\x0a\x3f" * 10,
    "attempt": 1,
    "max_attempts": 4,
    "pid": 5123,
    "worker": b"w" * 12,
    "node": b"n" * 8,
    "address": "127.0.0.1",
    "job": b"\0\0\0\1",
}


def failed(error: BaseException) -> Failed:
    """``error`` as a worker would hand it on."""
    try:
        raise error
    except BaseException as raised:  # noqa: BLE001 - all kinds are tried
        return faults.make_failed(raised, **HERE)  # type: ignore[arg-type]


def again(value: Failed | Fault) -> BaseException:
    return faults.from_value(value, pickle.loads, b"o" * 24, "unix:@owner")


def test_an_exception_comes_back_as_itself_with_its_story() -> None:
    error = again(failed(ValueError("x")))
    assert isinstance(error, ValueError)
    assert isinstance(error, x.RayTaskError)
    assert str(error).startswith(
        "wordcount.count_words (task 0a3f…3f0a3f, attempt 2/4) on worker 5123, node 6e6e6e6e6e6e6e6e, 127.0.0.1\n"
        "Traceback (most recent call last):\n"
    )
    assert str(error).endswith("ValueError: x")
    assert error.context.job == "00000001"
    assert (error.function_name, error.pid, error.ip) == ("wordcount.count_words", 5123, "127.0.0.1")


def test_the_traceback_keeps_the_users_frames_and_loses_ours() -> None:
    def users_code() -> None:
        rustyray.get(5)  # type: ignore[call-overload]

    with pytest.raises(TypeError) as caught:
        users_code()
    text = faults.trimmed_traceback(caught.value)
    assert "users_code" in text
    assert "rustyray/api" not in text
    assert text.endswith(f"TypeError: {caught.value}\n")


def test_causes_and_members_of_groups_are_trimmed_too() -> None:
    def of_ours() -> BaseException:
        with pytest.raises(TypeError) as caught:
            rustyray.get(5)  # type: ignore[call-overload]
        return caught.value

    outer = ExceptionGroup("several", [ValueError("v"), KeyError("k")])
    outer.__cause__ = of_ours()
    outer.exceptions[0].__context__ = of_ours()
    text = faults.trimmed_traceback(outer)
    assert text.count("TypeError: get() takes a ref") == 2
    assert "rustyray/api" not in text
    assert "KeyError: 'k'" in text


class Stays(Exception):
    def __init__(self) -> None:
        super().__init__("I stay")
        self.lock = threading.Lock()


def test_a_cause_that_does_not_pickle_stays_behind_and_says_so() -> None:
    value = failed(Stays())
    assert value.cause == b""
    error = again(value)
    assert type(error) is x.RayTaskError
    assert "Stays: I stay" in str(error)
    assert "Stays itself stays behind, as it cannot be pickled: Stays.lock: cannot pickle '_thread.lock' object" in str(
        error
    )
    assert isinstance(error.cause, x.RayError)
    assert "stays behind" in str(error.cause)


def test_a_cause_that_does_not_unpickle_here_says_so() -> None:
    def load(data: bytes) -> Any:
        raise ModuleNotFoundError("No module named 'theirs'")

    error = faults.from_value(failed(ValueError("x")), load)
    assert isinstance(error, x.RayTaskError)
    assert isinstance(error, x.UnserializableException)
    assert "ValueError: x\n(The exception itself could not be unpickled here: ModuleNotFoundError: No module" in str(
        error
    )


class NeedsTwo(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")
        self.first, self.second = first, second


def test_odd_constructors_survive() -> None:
    error: Any = again(failed(NeedsTwo(1, 2)))
    assert isinstance(error, NeedsTwo)
    assert (error.first, error.second) == (1, 2)


def test_an_error_of_another_task_is_handed_on_not_wrapped_again() -> None:
    inner = again(failed(ValueError("deep")))
    value = failed(inner)
    error = again(value)
    assert isinstance(error, ValueError)
    assert type(error.cause) is ValueError  # type: ignore[attr-defined]
    assert str(error).count("wordcount.count_words (task") == 2


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "interrupt"])
def test_exceptions_that_are_no_exception_pass_too(error: BaseException) -> None:
    assert isinstance(again(failed(error)), type(error))


def test_refs_inside_an_exception_are_listed() -> None:
    ref: ObjectRef[Any] = ObjectRef(b"r" * 24, "unix:@owner", lambda object_id: None)
    value = failed(ValueError(ref))
    assert value.refs is not None
    assert [(info.object, info.owner_address) for info in value.refs] == [(b"r" * 24, "unix:@owner")]


def test_buffers_inside_an_exception_travel_in_one_piece() -> None:
    error: Any = again(failed(ValueError(np.arange(3))))
    assert list(error.cause.args[0]) == [0, 1, 2]


KINDS: dict[FaultKind, type[BaseException]] = {
    FaultKind.WORKER_CRASHED: x.WorkerCrashedError,
    FaultKind.TASK_CANCELLED: x.TaskCancelledError,
    FaultKind.ACTOR_DIED: x.ActorDiedError,
    FaultKind.ACTOR_UNAVAILABLE: x.ActorUnavailableError,
    FaultKind.ACTOR_INIT_FAILED: x.ActorDiedError,
    FaultKind.OWNER_DIED: x.OwnerDiedError,
    FaultKind.OBJECT_LOST: x.ObjectLostError,
    FaultKind.OBJECT_FREED: x.ObjectFreedError,
    FaultKind.RECONSTRUCTION_FAILED: x.ObjectReconstructionFailedError,
    FaultKind.MAX_ATTEMPTS: x.ObjectReconstructionFailedMaxAttemptsExceededError,
    FaultKind.LINEAGE_EVICTED: x.ObjectReconstructionFailedLineageEvictedError,
    FaultKind.NODE_DIED: x.NodeDiedError,
    FaultKind.OUT_OF_MEMORY: x.OutOfMemoryError,
    FaultKind.STORE_FULL: x.ObjectStoreFullError,
    FaultKind.OUT_OF_DISK: x.OutOfDiskError,
    FaultKind.UNSCHEDULABLE: x.TaskUnschedulableError,
    FaultKind.ACTOR_UNSCHEDULABLE: x.ActorUnschedulableError,
    FaultKind.GROUP_REMOVED: x.TaskPlacementGroupRemoved,
    FaultKind.ACTORS_GROUP_REMOVED: x.ActorPlacementGroupRemoved,
    FaultKind.RUNTIME_ENV: x.RuntimeEnvSetupError,
    FaultKind.SHUT_DOWN: x.RaySystemError,
    FaultKind.SYSTEM: x.RaySystemError,
    FaultKind.FUNCTION_UNAVAILABLE: x.RayTaskError,
}


@pytest.mark.parametrize("kind", FaultKind, ids=lambda kind: kind.name)
def test_each_kind_of_fault_has_its_class(kind: FaultKind) -> None:
    fault = Fault(
        kind, "it broke badly", task=b"t" * 20, actor=b"a" * 20, function="mod.f", attempt=3, max_attempts=4, pid=7
    )
    error = again(fault)
    assert type(error) is KINDS[kind] or isinstance(error, RuntimeError)
    assert isinstance(error, KINDS[kind])
    assert "it broke badly" in str(error)
    assert "mod.f (task 7474…747474, actor 6161…616161, attempt 4/4) on worker 7" in str(error)
    if isinstance(error, x.ObjectLostError):
        assert (error.object_ref_hex, error.owner_address) == ((b"o" * 24).hex(), "unix:@owner")
    if isinstance(error, x.RayActorError):
        assert error.actor_id == (b"a" * 20).hex()


def test_a_failed_constructor_is_told_with_its_error() -> None:
    error = again(Fault(FaultKind.ACTOR_INIT_FAILED, "died", actor=b"a" * 20, cause=failed(ValueError("bad size"))))
    assert isinstance(error, x.ActorDiedError)
    assert error.actor_init_failed
    assert "ValueError: bad size" in str(error)
    assert error.cause is not None
    assert isinstance(error.cause.cause, ValueError)


def test_the_applications_part_of_a_fault_is_its_cause() -> None:
    error = again(Fault(FaultKind.SYSTEM, "it broke", cause=failed(ValueError("x"))))
    assert isinstance(error.__cause__, ValueError)


def test_a_function_that_cannot_be_imported_is_a_task_error() -> None:
    error = again(Fault(FaultKind.FUNCTION_UNAVAILABLE, "No module named 'theirs'", function="theirs.f"))
    assert isinstance(error, x.RayTaskError)
    assert isinstance(error, RuntimeError)
    cause = failed(ModuleNotFoundError("No module named 'theirs'"))
    error = again(Fault(FaultKind.FUNCTION_UNAVAILABLE, "cannot import", function="theirs.f", cause=cause))
    assert isinstance(error, ModuleNotFoundError)
