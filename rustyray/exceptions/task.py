"""`RayTaskError`: an exception of the user's code on its way to whoever waits for the result.

It has two jobs that Python does not make easy. It must be an instance of the cause's class too, so that ``except
ValueError`` works over a distance, for classes that were never meant to be combined with another: with constructors of
their own, slots, frozen fields, a read-only ``args``. And it must pickle together with the cause, whatever the cause's
constructor looks like. Both are done without ever calling that constructor: a blank instance is made and filled.
"""

from __future__ import annotations

import types
from typing import Any
from weakref import WeakValueDictionary

from rustyray.exceptions.base import ErrorContext, RayError


class RayTaskError(RayError):
    """A task or an actor's method raised: ``cause`` is the exception, ``traceback_str`` its traceback over there.

    What `rustyray.get` raises is also an instance of the cause's class, with its attributes, so that ``except
    ValueError`` works as if the call had been local (as in Ray). Where Python does not allow such a class, or the cause
    did not survive the journey, it is a plain ``RayTaskError``, and says so.

    Args:
        function_name: the function or method, with its module.
        traceback_str: the traceback as text.
        cause: the exception itself.
        proctitle: the title of the worker's process, if it has one.
        pid: the worker's process id.
        ip: the address of the worker's machine.
        actor_repr: how the actor prints, if one was called.
        actor_id: its id in hexadecimal.
        context: all of this and more, at once, instead of the four before.
    """

    def __init__(
        self,
        function_name: str,
        traceback_str: str,
        cause: BaseException,
        proctitle: str | None = None,
        pid: int | None = None,
        ip: str | None = None,
        actor_repr: str | None = None,
        actor_id: str | None = None,
        *,
        context: ErrorContext | None = None,
    ) -> None:
        if context is None:
            context = ErrorContext(
                function=function_name,
                pid=pid or 0,
                address=ip or "",
                actor=actor_id or "",
                actor_repr=actor_repr or "",
            )
        super().__init__(function_name, traceback_str, cause, proctitle, context.pid, context.address, context=context)
        self.function_name = function_name
        self.traceback_str = traceback_str
        self.cause = cause
        self.proctitle = proctitle or ""
        self.pid = context.pid
        self.ip = context.address
        self.actor_repr = context.actor_repr
        self.actor_id = context.actor

    def describe(self) -> str:
        return self.traceback_str.rstrip()

    def __str__(self) -> str:
        return f"{self.context}\n{self.describe()}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), dict(self.__dict__, cause=None), portable(self.cause))

    def as_instanceof_cause(self) -> RayTaskError:
        """This error as an instance of its cause's class too; itself (with a note saying why) where that can not be."""
        cls = type(self.cause)
        if isinstance(self, cls):
            return self
        try:
            return _combine(self, _dual_class(cls))
        except Exception as refusal:  # noqa: BLE001 - anything may go wrong in a class that was not made for this
            note = f"This is not a {cls.__qualname__} as well, because that class refuses: {refusal}. See `.cause`."
            if note not in getattr(self, "__notes__", ()):
                self.add_note(note)
            return self


def _rebuild(cls: type[RayTaskError], state: dict[str, Any], cause: BaseException) -> RayTaskError:
    error = cls.__new__(cls)
    error.__dict__.update(state, cause=cause)
    error.args = (error.function_name, error.traceback_str, cause, error.proctitle or None, error.pid, error.ip)
    return error


# --- a class of two families ------------------------------------------------------------------------------------------

#: By the cause's class. Weak, so that a class defined in a test goes when the last error of its kind goes.
_duals: WeakValueDictionary[type[BaseException], type[RayTaskError]] = WeakValueDictionary()


def _dual_class(cause_class: type[BaseException]) -> type[RayTaskError]:
    found = _duals.get(cause_class)
    if found is None:
        name = f"RayTaskError({cause_class.__name__})"
        found = type(name, (RayTaskError, cause_class), {**_DUAL, "__qualname__": name})
        _duals[cause_class] = found
    return found


def _combine(error: RayTaskError, cls: type[RayTaskError]) -> RayTaskError:
    both: RayTaskError = blank(cls, error.cause)
    fill(both, members(error.cause))
    BaseException.args.__set__(both, (error.cause,))  # type: ignore[attr-defined]
    both.__dict__.update(error.__dict__)
    both.__cause__, both.__context__ = error.__cause__, error.__context__
    both.__suppress_context__ = error.__suppress_context__
    return both


def _getattr(self: RayTaskError, name: str) -> object:
    cause = self.__dict__.get("cause")
    if cause is None:
        raise AttributeError(name)
    return getattr(cause, name)


def _reduce(self: RayTaskError) -> tuple[Any, ...]:
    return _rebuild_dual, (dict(self.__dict__, cause=None), portable(self.cause))


def _rebuild_dual(state: dict[str, Any], cause: BaseException) -> RayTaskError:
    return _rebuild(RayTaskError, state, cause).as_instanceof_cause()


#: What no class of the user's may override in the combined one.
_DUAL: dict[str, object] = {
    "__module__": "rustyray.exceptions",
    "__doc__": "A `RayTaskError` that is also an instance of the exception's own class.",
    "args": property(lambda self: (self.cause,), lambda self, value: None),
    "__init__": lambda self, *args: None,
    "__getattr__": _getattr,
    "__getattribute__": BaseException.__getattribute__,
    "__setattr__": BaseException.__setattr__,
    "__delattr__": BaseException.__delattr__,
    "__str__": RayTaskError.__str__,
    "__repr__": BaseException.__repr__,
    "__eq__": object.__eq__,
    "__hash__": object.__hash__,
    "__reduce__": _reduce,
    "__reduce_ex__": lambda self, protocol: _reduce(self),
}


# --- exceptions without their constructors ----------------------------------------------------------------------------


def blank(cls: type[Any], like: BaseException) -> Any:
    """An instance of exception class ``cls`` whose ``__init__``, and any ``__new__`` written in Python, did not run."""
    if isinstance(like, BaseExceptionGroup):
        return BaseExceptionGroup.__new__(cls, like.message, like.exceptions)
    for base in cls.__mro__:
        new = base.__dict__.get("__new__")
        if isinstance(new, types.BuiltinFunctionType):
            try:
                return new(cls)
            except TypeError:
                continue  # of several built-in bases only the one that decides the memory layout may do it
    raise TypeError(f"{cls.__qualname__} is no exception")


def members(error: BaseException) -> dict[str, Any]:
    """What an exception keeps outside its ``__dict__``: slots, and fields of built-in classes such as ``errno``."""
    found = {}
    for cls in type(error).__mro__:
        if cls is BaseException or cls is object:
            continue
        for name, field in cls.__dict__.items():
            if isinstance(field, types.MemberDescriptorType | types.GetSetDescriptorType) and name not in _NOT_STATE:
                try:
                    found[name] = field.__get__(error)
                except (AttributeError, TypeError, ValueError):
                    continue  # not set
    return found


_NOT_STATE = frozenset({"__dict__", "__weakref__"})


def fill(error: BaseException, values: dict[str, Any]) -> None:
    for name, value in values.items():
        try:
            object.__setattr__(error, name, value)
        except (AttributeError, TypeError, ValueError):
            continue  # read-only: an exception group's, which its `__new__` has set


def portable(error: BaseException) -> object:
    """What to pickle in place of ``error``: it unpickles to an equal exception without calling its class.

    An exception that brings its own way of pickling is left to it.
    """
    cls = type(error)
    own = (cls.__reduce__, cls.__reduce_ex__, getattr(cls, "__setstate__", None), getattr(cls, "__getstate__", None))
    if all(method is None or isinstance(method, _BUILT_IN) for method in own):
        return _Portable(error)
    return error


_BUILT_IN = (types.MethodDescriptorType, types.BuiltinFunctionType, types.WrapperDescriptorType)


class _Portable:
    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        error = self.error
        args: tuple[object, ...] = BaseException.args.__get__(error)  # type: ignore[attr-defined]
        if isinstance(error, BaseExceptionGroup):
            args = (error.message, [portable(inner) for inner in error.exceptions])
        state = {name: value for name, value in members(error).items() if name != "exceptions"}
        return _restore, (type(error), args, state, error.__dict__)


def _restore(cls: type[Any], args: tuple[Any, ...], values: dict[str, Any], state: dict[str, object]) -> BaseException:
    error: BaseException
    if issubclass(cls, BaseExceptionGroup):
        error = BaseExceptionGroup.__new__(cls, *args)
    else:
        error = blank(cls, Exception())
    BaseException.args.__set__(error, tuple(args))  # type: ignore[attr-defined]
    fill(error, values)
    error.__dict__.update(state)
    return error
