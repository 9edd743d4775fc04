"""``get``, ``put``, ``wait`` and others of the flat namespace: they check what they are given, and pass it on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from rustyray.api import lifecycle
from rustyray.api.actor_handle import ActorHandle
from rustyray.model.options import hint
from rustyray.runtime import context
from rustyray.runtime.generator import ObjectRefGenerator
from rustyray.runtime.ref import ObjectRef

if TYPE_CHECKING:
    from rustyray.exceptions import RayError
    from rustyray.runtime.engine import Engine

_Raising: TypeAlias = Literal["raise", "group"]
T = TypeVar("T")
#: Refs, generators, or both.
Waitable = TypeVar("Waitable", bound="ObjectRef[Any] | ObjectRefGenerator[Any]")


@overload
def get(object_refs: ObjectRef[T], *, timeout: float | None = None, on_error: _Raising = "raise") -> T: ...
@overload
def get(
    object_refs: Sequence[ObjectRef[T]], *, timeout: float | None = None, on_error: _Raising = "raise"
) -> list[T]: ...
@overload
def get(object_refs: ObjectRef[T], *, timeout: float | None = None, on_error: Literal["return"]) -> T | RayError: ...
@overload
def get(
    object_refs: Sequence[ObjectRef[T]], *, timeout: float | None = None, on_error: Literal["return"]
) -> list[T | RayError]: ...
def get(object_refs: Any, *, timeout: float | None = None, on_error: str = "raise") -> Any:
    """The value of a ref, or the list of values of a list of refs; waits for them (as in Ray).

    Values read from shared memory are read-only and not copied. A task that waits gives its CPU back meanwhile.

    Args:
        object_refs: a ref, or a list or tuple of refs.
        timeout: seconds to wait at most; None, or -1: as long as it takes; 0: raise unless everything is there.
        on_error: "raise": the first error found, without waiting for the rest (as in Ray, which knows nothing else);
            "group": wait for all, and raise their errors together, one for each cause; "return": wait for all, and
            return each error in the place of its value.

    Raises:
        ExceptionGroup: There are errors, and ``on_error`` is "group".
        GetTimeoutError: Not everything was there in time. The tasks go on.
        RayTaskError: A task raised. The error is an instance of that exception's class too.
        RayError: The runtime failed (`rustyray.exceptions`).
        TypeError: That is no ref.
        ValueError: There is no such ``on_error``.
    """
    if timeout is not None:
        if timeout == -1:  # as in Ray
            timeout = None
        else:
            _check_timeout("get", timeout)
    if on_error != "raise":
        return _get_all(object_refs, timeout, on_error)
    if type(object_refs) is ObjectRef:
        return _engine("get").get((object_refs,), timeout)[0]
    if isinstance(object_refs, ObjectRefGenerator):
        return object_refs
    _check_list(object_refs)
    return _engine("get").get(object_refs, timeout) if object_refs else []


def _get_all(object_refs: Any, timeout: float | None, on_error: str) -> Any:
    from rustyray.api.gathering import ON_ERROR, gather

    if on_error not in ON_ERROR:
        valid = ", ".join(map(repr, ON_ERROR))
        raise ValueError(f"get(): there is no on_error={on_error!r}{hint(str(on_error), ON_ERROR)}. Valid are {valid}.")
    if type(object_refs) is ObjectRef:
        return gather(_engine("get"), (object_refs,), timeout, on_error)[0]
    _check_list(object_refs)
    return gather(_engine("get"), object_refs, timeout, on_error) if object_refs else []


def _check_list(object_refs: object) -> None:
    if not isinstance(object_refs, list | tuple):
        raise TypeError(
            f"get() takes a ref or a list of refs, got {_shown(object_refs)}. {_advice('get', object_refs)}"
        )
    _check_refs("get", object_refs)


def put(value: T) -> ObjectRef[T]:
    """Store a value and return a ref to it; this process is its owner (as in Ray).

    Raises:
        TypeError: The value is a ref, or cannot be pickled; the message names the culprit inside.
        ObjectStoreFullError: It does not fit into the store.
    """
    if isinstance(value, ObjectRef):
        raise TypeError("put() got a ref: what it refers to is stored already. Pass the ref on as it is.")
    engine = context._engine
    return (engine if engine is not None else lifecycle.running_engine()).put(value)


def wait(
    ray_waitables: list[Waitable],
    *,
    num_returns: int = 1,
    timeout: float | None = None,
    fetch_local: bool = True,
) -> tuple[list[Waitable], list[Waitable]]:
    """Wait until ``num_returns`` of the refs have a value or an error (as in Ray).

    Args:
        ray_waitables: a list of refs, each once; remote generators too, which are ready when their next item is.
        num_returns: how many to wait for; no more than that are returned as ready.
        timeout: seconds to wait at most; None: as long as it takes.
        fetch_local: whether values elsewhere are to be brought to this node as well.

    Returns:
        ``(ready, the rest)``, both in the order given. After a timeout fewer than ``num_returns`` are ready.
    """
    if timeout is not None:
        _check_timeout("wait", timeout)
    if not isinstance(ray_waitables, list):
        raise TypeError(f"wait() takes a list of refs, got {_shown(ray_waitables)}. {_advice('wait', ray_waitables)}")
    _check_refs("wait", ray_waitables, generators=True)
    if isinstance(num_returns, bool) or not isinstance(num_returns, int):
        raise TypeError(f"wait(): num_returns must be an integer, got {num_returns!r}")
    if not ray_waitables:
        return [], []
    if not 1 <= num_returns <= len(ray_waitables):
        raise ValueError(
            f"wait(): num_returns must be from 1 to the number of refs, which is {len(ray_waitables)}, "
            f"got {num_returns}"
        )
    given: Any = ray_waitables
    ids = {ref._id for ref in ray_waitables}  # the refs' own __hash__ would take four times as long
    if len(ids) < len(ray_waitables):
        raise ValueError(f"wait() takes each ref once, but {_repeated(given)!r} is there more than once")
    found: Any = _engine("wait").wait(given, num_returns, timeout, fetch_local)
    return found[0], found[1]


def cancel(
    ray_waitable: ObjectRef[Any] | ObjectRefGenerator[Any], *, force: bool = False, recursive: bool = True
) -> None:
    """Cancel the task that makes ``ray_waitable``; if it is done, nothing happens (as in Ray).

    A queued task never runs. A running one gets a KeyboardInterrupt, an async method a CancelledError; a plain method
    of an actor has to ask `RuntimeContext.is_canceled`. Its refs raise `TaskCancelledError`. It is not retried.

    Args:
        ray_waitable: what the task returns, a ref or a remote generator.
        force: end the worker's process at once; refs then raise `WorkerCrashedError`. Not for actors' methods.
        recursive: cancel the tasks that it has submitted, too.

    Raises:
        TypeError: That is no ref.
        ValueError: ``force`` was asked for an actor's method: use `kill`.
    """
    ref = ray_waitable.completed() if isinstance(ray_waitable, ObjectRefGenerator) else ray_waitable
    if not isinstance(ref, ObjectRef):
        raise _not_cancellable(ref)
    _engine("cancel").cancel(ref, force, recursive)


def kill(actor: ActorHandle[Any], *, no_restart: bool = True) -> None:
    """End an actor at once; its pending calls fail with `ActorDiedError` (as in Ray).

    The process is killed: no ``atexit`` hooks run. ``no_restart=False`` lets it restart, if it has restarts left.
    Raises ValueError if that is no actor's handle.
    """
    if not isinstance(actor, ActorHandle):
        raise _not_killable(actor)
    _engine("kill").kill_actor(actor._rustyray_state, no_restart)


def get_actor(name: str, namespace: str | None = None) -> ActorHandle[Any]:
    """A handle of the living actor with that name; it does not keep the actor alive (as in Ray).

    Args:
        name: as given in ``Actor.options(name=…)``.
        namespace: where to look; this program's own by default.

    Raises:
        ValueError: No living actor has the name.
        TypeError: A name is no string.
    """
    given = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    for what, text in given.items():
        if not isinstance(text, str):
            raise TypeError(f"get_actor(): {what} must be a string, got {_shown(text)}")
        if text == "":
            raise ValueError(f"get_actor(): {what} must not be empty")
    return ActorHandle(_engine("get_actor").find_actor(name, namespace))


def exit_actor() -> None:
    """End the actor whose method calls this, as its own wish; does not return (as in Ray).

    The calls it received before fail with `ActorDiedError`; ``atexit`` hooks run; it is not restarted.

    Raises:
        TypeError: This is not a method of an actor.
    """
    _engine("exit_actor").exit_actor()


def _engine(function: str) -> Engine:
    engine = context._engine
    if engine is None:
        raise RuntimeError(
            f"{function}() needs a running RustyRay: call rustyray.init() first. Refs and handles do not outlive the "
            "runtime that they come from."
        )
    return engine


def _not_cancellable(wrong: object) -> TypeError:
    hint = "To end an actor, write kill(handle)." if isinstance(wrong, ActorHandle) else "Write cancel(f.remote(…))."
    return TypeError(f"cancel() takes a ref, got {_shown(wrong)}. {hint}")


def _not_killable(wrong: object) -> ValueError:  # as in Ray
    hint = "To end a task, write cancel(ref)." if isinstance(wrong, ObjectRef) else "Write kill(Actor.remote())."
    return ValueError(f"kill() takes an actor's handle, got {_shown(wrong)}. {hint}")


def _check_timeout(function: str, timeout: Any) -> None:
    if isinstance(timeout, bool) or not hasattr(timeout, "__float__"):
        raise TypeError(f"{function}(): timeout must be a number of seconds or None, got {_shown(timeout)}")
    if not timeout >= 0:
        raise ValueError(f"{function}(): timeout must be zero or more seconds, or None for no limit, got {timeout!r}")


def _check_refs(function: str, refs: Sequence[Any], generators: bool = False) -> None:
    if list(map(type, refs)).count(ObjectRef) == len(refs):  # the fastest way to look at thousands
        return
    for index, ref in enumerate(refs):
        if not isinstance(ref, ObjectRef) and not (generators and isinstance(ref, ObjectRefGenerator)):
            raise TypeError(f"{function}() takes refs, but item {index} is {_shown(ref)}. {_advice(function, ref)}")


def _advice(function: str, wrong: object) -> str:
    """The right call."""
    if isinstance(wrong, ActorHandle):
        return f"A handle has no value of its own: write {function}({_list('handle.method.remote(…)', function)})."
    if isinstance(wrong, ObjectRef):
        return f"Write {function}({_list('ref', function)})."
    if isinstance(wrong, list | tuple | set | frozenset):
        return f"Write {function}([*refs]) with one flat list."
    if callable(wrong):
        return f"Call it first: {function}({_list('f.remote(…)', function)})."
    return f"Refs are what .remote() and put() return: {function}({_list('f.remote(…)', function)})."


def _list(item: str, function: str) -> str:
    return f"[{item}]" if function == "wait" else item


def _shown(value: object) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '…'} ({type(value).__name__})"


def _repeated(refs: Sequence[ObjectRef[Any]]) -> ObjectRef[Any]:
    seen: set[ObjectRef[Any]] = set()
    return next(ref for ref in refs if ref in seen or seen.add(ref))  # type: ignore[func-returns-value]
