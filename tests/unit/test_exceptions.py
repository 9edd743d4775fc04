"""The exceptions: their family, what they print, and that errors of user code keep their class over any distance."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import threading
from typing import Any, final

import cloudpickle
import pytest

from rustyray import exceptions as x
from rustyray.exceptions import ErrorContext, RayError, RayTaskError

WHERE = ErrorContext(
    function="wordcount.count_words",
    job="00000001",
    task="0a3f" * 10,
    attempt=2,
    max_attempts=4,
    worker="ab" * 12,
    pid=5123,
    node="b7e1c0ffeec0ffee",
    address="127.0.0.1",
)

#: Every class of Ray's family: its bases there, and how to make one.
FAMILY: dict[str, tuple[tuple[type, ...], tuple[Any, ...]]] = {
    "ActorAlreadyExistsError": ((ValueError, RayError), ("taken",)),
    "ActorDiedError": ((x.RayActorError,), ()),
    "ActorHandleNotFoundError": ((ValueError, RayError), ("gone",)),
    "ActorPlacementGroupRemoved": ((RayError,), ()),
    "ActorUnavailableError": ((x.RayActorError,), ("restarting", b"\x0a\x3f")),
    "ActorUnschedulableError": ((RayError,), ("no such node",)),
    "AsyncioActorExit": ((RayError,), ()),
    "AuthenticationError": ((RayError,), ("no key",)),
    "CrossLanguageError": ((RayError,), ("java",)),
    "GetTimeoutError": ((RayError, TimeoutError), ("late",)),
    "LocalRayletDiedError": ((RayError,), ()),
    "NodeDiedError": ((RayError,), ("node died",)),
    "ObjectFetchTimedOutError": ((x.ObjectLostError,), ("0a", b"addr", "f.py:3")),
    "ObjectFreedError": ((x.ObjectLostError,), ("0a", None, "")),
    "ObjectLostError": ((RayError,), ("0a", None, "f.py:3")),
    "ObjectReconstructionFailedError": ((x.ObjectLostError,), ("0a", x.ReconstructionFailure.PUT)),
    "ObjectRefStreamEndOfStreamError": ((RayError,), ()),
    "ObjectStoreFullError": ((RayError,), ("full",)),
    "OufOfBandObjectRefSerializationException": ((RayError,), ()),
    "OutOfDiskError": ((RayError,), ("full",)),
    "OutOfMemoryError": ((RayError,), ("3 GB of 4 GB",)),
    "OwnerDiedError": ((x.ObjectLostError,), ("0a", "unix:@x", "")),
    "PendingCallsLimitExceeded": ((RayError,), ("too many",)),
    "PlasmaObjectNotAvailable": ((RayError,), ()),
    "RayActorError": ((RayError,), ("0a3f", "it failed", True, True)),
    "RaySystemError": ((RayError,), (OSError("gone"), "Traceback …")),
    "RayTaskError": ((RayError,), ("f", "Traceback …", ValueError("x"))),
    "ReferenceCountingAssertionError": ((x.ObjectLostError, AssertionError), ("0a", None, "")),
    "RpcError": ((RayError,), ("cut off", 14)),
    "RuntimeEnvSetupError": ((RayError,), ("no conda",)),
    "StreamingGeneratorReplayInconsistentError": ((x.RaySystemError,), ("3, not 4",)),
    "TaskCancelledError": ((RayError,), ("0a3f", "by the user")),
    "TaskPlacementGroupRemoved": ((RayError,), ()),
    "TaskUnschedulableError": ((RayError,), ("no such node",)),
    "UnserializableException": ((RayError,), ("Traceback …",)),
    "UserCodeException": ((RayError,), ("x",)),
    "WorkerCrashedError": ((RayError,), ()),
}


@pytest.mark.parametrize("name", FAMILY)
def test_each_has_rays_bases(name: str) -> None:
    bases, args = FAMILY[name]
    cls = getattr(x, name)
    assert issubclass(cls, bases)
    assert cls.__module__ == "rustyray.exceptions"
    assert isinstance(cls(*args), RayError)


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("module", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])
def test_each_survives_pickling_whole(name: str, module: Any) -> None:
    _, args = FAMILY[name]
    error = getattr(x, name)(*args, context=WHERE)
    error.add_note("seen by a test")
    back = module.loads(module.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert "count_words" in str(back)
    assert back.context == WHERE
    assert back.__notes__ == ["seen by a test"]
    assert _comparable(back.__dict__) == _comparable(error.__dict__)


def _comparable(state: dict[str, Any]) -> dict[str, Any]:
    """Exceptions compare by identity: compare how they print."""
    return {name: repr(value) for name, value in state.items()}


def test_the_list_of_public_names_is_complete() -> None:
    defined = {name for name, thing in vars(x).items() if isinstance(thing, type) and not name.startswith("_")}
    assert defined == set(x.__all__)
    assert {cls.__name__ for cls in _descendants(RayError) if not cls.__name__.startswith("_")} >= set(FAMILY)


def _descendants(cls: type) -> list[type]:
    children: list[type] = cls.__subclasses__()
    return [cls, *(below for child in children for below in _descendants(child))]


def test_other_names_mean_the_same_classes() -> None:
    assert x.RustyRayError is RayError
    assert x.TaskError is RayTaskError
    assert x.ActorError is x.RayActorError


# --- what they say ----------------------------------------------------------------------------------------------------


def test_a_context_prints_as_one_line() -> None:
    assert str(WHERE) == (
        "wordcount.count_words (task 0a3f…3f0a3f, attempt 2/4) on worker 5123, node b7e1c0ffeec0ffee, 127.0.0.1"
    )


def test_an_error_says_where_it_was() -> None:
    assert str(x.RaySystemError("full", context=ErrorContext(function="f", pid=3))).endswith("full\n  in f on worker 3")
    assert str(x.RaySystemError("full", context=ErrorContext(node="ab"))).endswith("full\n  on node ab")
    assert str(x.RayError(context=ErrorContext(node="ab"))) == "on node ab"


def test_a_context_leaves_out_what_it_does_not_know() -> None:
    assert str(ErrorContext()) == ""
    assert str(ErrorContext(function="f")) == "f"
    assert str(ErrorContext(pid=7)) == "on worker 7"
    assert str(ErrorContext(function="f", attempt=1)) == "f (attempt 1)"
    assert str(ErrorContext(function="f", attempt=1, max_attempts=-1)) == "f (attempt 1/∞)"
    assert str(ErrorContext(function="C.m", actor="0a3f", actor_repr="<C 1>")) == "C.m (actor <C 1>)"
    assert str(ErrorContext(function="C.m", actor="0a3f")) == "C.m (actor 0a3f)"


def test_a_task_error_tells_where_and_then_what() -> None:
    error = RayTaskError("f", "Traceback (most recent call last):\nValueError: x\n", ValueError("x"), context=WHERE)
    assert str(error) == f"{WHERE}\nTraceback (most recent call last):\nValueError: x"


def test_a_task_error_made_as_rays_has_rays_fields() -> None:
    error = RayTaskError("f", "Traceback", KeyError("k"), "ray::f", 12, "10.0.0.1", "<C>", "0a3f")
    assert (error.function_name, error.traceback_str, error.proctitle) == ("f", "Traceback", "ray::f")
    assert (error.pid, error.ip, error.actor_repr, error.actor_id) == (12, "10.0.0.1", "<C>", "0a3f")
    assert isinstance(error.cause, KeyError)
    assert error.args == ("f", "Traceback", error.cause, "ray::f", 12, "10.0.0.1")
    assert error.context == ErrorContext(function="f", pid=12, address="10.0.0.1", actor="0a3f", actor_repr="<C>")


def test_runtime_faults_tell_what_and_then_where() -> None:
    error = x.WorkerCrashedError("The worker was killed by signal 9.", context=WHERE)
    assert str(error) == f"The worker was killed by signal 9.\n  in {WHERE}"
    assert str(x.WorkerCrashedError()) == "The worker died while it ran this task."


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (x.TaskCancelledError(), "The task was cancelled."),
        (x.TaskCancelledError("0a3f", "By the user."), "Task 0a3f was cancelled. By the user."),
        (x.TaskUnschedulableError(error_message="no node"), "The task is not schedulable: no node"),
        (x.ActorUnschedulableError("no node"), "The actor is not schedulable: no node"),
        (x.RuntimeEnvSetupError("no conda"), "Failed to set up the runtime environment. no conda"),
        (x.OutOfMemoryError(message="3 of 4 GB"), "3 of 4 GB"),
        (x.RaySystemError("gone"), "System error: gone"),
        (x.RaySystemError("gone", "Traceback\n"), "System error: gone\nTraceback"),
        (x.ObjectLostError("0a", None, "f.py:3"), "Its ref was made at f.py:3"),
        (x.OwnerDiedError("0a", "unix:@x", ""), "Its owner, the process that called"),
        (x.ObjectReconstructionFailedError("0a", x.ReconstructionFailure.PUT), "stored by put()"),
        (x.ObjectReconstructionFailedError("0a", reason_message="The disk is gone."), "The disk is gone."),
        (x.UnserializableException("Traceback\n"), "could not be unpickled here. It was:\nTraceback"),
        (x.RpcError("cut off", 14), "cut off"),
    ],
)
def test_messages(error: RayError, text: str) -> None:
    assert text in str(error)


def test_actor_errors_name_the_actor() -> None:
    unavailable = x.ActorUnavailableError("it restarts", b"\x0a\x3f")
    assert unavailable.actor_id == "0a3f"
    assert str(unavailable) == "The actor 0a3f is unavailable: it restarts. The call may or may not have run."
    init = RayTaskError("C.__init__", "Traceback\nValueError: x", ValueError("x"), actor_id="0a3f")
    died = x.ActorDiedError.from_task_error(init)
    assert (died.actor_init_failed, died.actor_id, died.preempted) == (True, "0a3f", False)
    assert "ValueError: x" in str(died)
    killed = x.ActorDiedError(actor_id="0a3f", error_msg="The actor was killed.")
    assert (killed.actor_init_failed, killed.actor_id, str(killed)) == (False, "0a3f", "The actor was killed.")


# --- errors that are instances of their causes ------------------------------------------------------------------------


class Plain(Exception):
    pass


class OddConstructor(Exception):
    """Its constructor takes what ``args`` does not have."""

    def __init__(self, *, code: int, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail

    @property
    def summary(self) -> str:
        return f"<{self.code} {self.detail}>"


class OddNew(Exception):
    def __new__(cls, first: object, second: object) -> OddNew:
        return super().__new__(cls, first, second)


class ReadOnlyArgs(Exception):
    def __init__(self) -> None:
        self.text = "mine"

    @property
    def args(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.text,)


class Slotted(OSError):
    __slots__ = ("extra",)

    def __init__(self, extra: int) -> None:
        super().__init__(2, "No such file", "x.txt")
        self.extra = extra


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    number: int


class GetAttribute(Exception):
    def __getattribute__(self, name: str) -> Any:
        if name == "secret":
            raise AttributeError("no")
        return super().__getattribute__(name)


class OwnReduce(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__("both")
        self.a, self.b = a, b

    def __reduce__(self) -> tuple[Any, ...]:
        return OwnReduce, (self.a, self.b)


class Base(BaseException):
    pass


class OwnGroup(ExceptionGroup[Exception]):
    def derive(self, excs: Any, /) -> Any:
        return OwnGroup(self.message, excs)


CAUSES: list[BaseException] = [
    Plain("hi"),
    OddConstructor(code=3, detail="x"),
    OddNew(1, 2),
    ReadOnlyArgs(),
    Slotted(7),
    Frozen(5),
    GetAttribute("x"),
    OwnReduce(1, 2),
    Base("b"),
    KeyError("k"),
    FileNotFoundError(2, "No such file", "x.txt"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad byte"),
    StopIteration(5),
    SystemExit(3),
    KeyboardInterrupt(),
    ImportError("no", name="m", path="/m"),
    SyntaxError("bad", ("f.py", 1, 2, "x =", 1, 3)),
    MemoryError(),
    ExceptionGroup("g", [ValueError("v"), OddConstructor(code=1, detail="y")]),
    OwnGroup("own", [ValueError("v")]),
    x.WorkerCrashedError("gone"),
    x.ObjectLostError("0a"),
    AssertionError("assert 1 == 2"),
]
FIELDS = ("args", "cause", "context", "characters_written")


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: type(cause).__name__)
@pytest.mark.parametrize("pickled", [False, True], ids=["made", "pickled"])
def test_a_task_error_is_an_instance_of_its_causes_class(cause: BaseException, pickled: bool) -> None:
    error = RayTaskError("f", "Traceback", cause, context=WHERE).as_instanceof_cause()
    if pickled:
        error = pickle.loads(pickle.dumps(error))
    assert isinstance(error, RayTaskError)
    assert isinstance(error, type(cause))
    assert type(error).__name__ == f"RayTaskError({type(cause).__name__})"
    assert type(error.cause) is type(cause)
    assert str(error) == f"{WHERE}\nTraceback"
    assert error.context == WHERE
    assert error.args == (error.cause,)
    public = [name for name in dir(cause) if not name.startswith("_") and name not in FIELDS]
    for name in public:
        value = getattr(cause, name)
        if not callable(value) and not isinstance(value, tuple):
            assert getattr(error, name) == value, name
    with pytest.raises(type(cause)) as caught:
        raise error
    assert caught.value is error


def test_attributes_and_properties_of_the_cause_are_there() -> None:
    error: Any = RayTaskError("f", "tb", OddConstructor(code=3, detail="x")).as_instanceof_cause()
    assert (error.code, error.summary) == (3, "<3 x>")
    error = RayTaskError("f", "tb", Slotted(7)).as_instanceof_cause()
    assert (error.extra, error.errno, error.strerror, error.filename) == (7, 2, "No such file", "x.txt")
    with pytest.raises(AttributeError, match="nothing"):
        _ = error.nothing


def test_a_frozen_cause_does_not_freeze_the_error() -> None:
    error: Any = RayTaskError("f", "tb", Frozen(5)).as_instanceof_cause()
    error.add_note("noted")
    error.anything = 1
    assert {error: 1}[error] == 1
    assert error != copy.copy(error)


def test_the_same_causes_class_gives_the_same_class() -> None:
    first, second = (RayTaskError("f", "tb", Plain(i)).as_instanceof_cause() for i in range(2))
    assert type(first) is type(second)
    assert type(pickle.loads(pickle.dumps(first))) is type(second)
    assert first.as_instanceof_cause() is first


def test_a_group_can_be_split_by_its_members() -> None:
    error = RayTaskError("f", "tb", ExceptionGroup("g", [ValueError("v"), KeyError("k")])).as_instanceof_cause()
    seen: list[type[BaseException]] = []
    try:
        raise error
    except* ValueError as group:
        seen += [type(one) for one in group.exceptions]
    except* KeyError as group:
        seen += [type(one) for one in group.exceptions]
    assert seen == [ValueError, KeyError]


@final
class Sealed(Exception):
    def __init_subclass__(cls) -> None:
        raise TypeError("Sealed is final")


@pytest.mark.parametrize(
    ("cause", "why"),
    [(Sealed("s"), "Sealed is final"), (BaseExceptionGroup("g", [KeyboardInterrupt()]), "Cannot nest BaseExceptions")],
    ids=["final", "base group"],
)
def test_a_class_that_refuses_leaves_a_plain_task_error_with_a_note(cause: BaseException, why: str) -> None:
    error = RayTaskError("f", "tb", cause)
    for _ in range(2):
        assert error.as_instanceof_cause() is error
    assert len(error.__notes__) == 1
    assert why in error.__notes__[0]
    assert error.cause is cause
    assert type(pickle.loads(pickle.dumps(error)).cause) is type(cause)


def test_an_unpicklable_cause_fails_to_pickle_as_usual() -> None:
    cause = Plain("hi")
    cause.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="lock"):
        pickle.dumps(RayTaskError("f", "tb", cause).as_instanceof_cause())


def test_a_causes_own_way_of_pickling_is_left_to_it() -> None:
    back = pickle.loads(pickle.dumps(RayTaskError("f", "tb", OwnReduce(1, 2))))
    assert (back.cause.a, back.cause.b) == (1, 2)


def test_notes_of_the_cause_travel_with_it() -> None:
    cause = OddConstructor(code=1, detail="x")
    cause.add_note("remember")
    assert pickle.loads(pickle.dumps(RayTaskError("f", "tb", cause))).cause.__notes__ == ["remember"]


def test_the_combined_class_goes_when_its_errors_go() -> None:
    import gc
    import weakref

    class Local(Exception):
        pass

    error: Any = RayTaskError("f", "tb", Local()).as_instanceof_cause()
    dead = weakref.ref(Local)
    del error, Local
    gc.collect()  # the combined class, and with it the entry that held the cause's
    gc.collect()
    assert dead() is None
