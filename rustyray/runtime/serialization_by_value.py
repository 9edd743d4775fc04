"""Which modules' functions and classes travel by value, and the pickler that does it.

Plain pickle names a function or class by its module, which a worker would import. That cannot work for the driver's
``__main__``, and for test modules and conftests it would run the module a second time, or not find it. Code of these
modules is pickled whole instead, by cloudpickle; so is whatever plain pickle refuses (lambdas, local classes).

A process that receives such code learns the module's name with it: when it pickles an instance later, plain pickle
would import the module to look the class up, and that must not happen there.

cloudpickle is imported at the first need only, as it makes a cold start noticeably longer.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import re
import sys
import threading
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any, ClassVar

from rustyray.runtime.serialization_stand_ins import reduce_member

BufferCallback = Callable[[pickle.PickleBuffer], Any]

_MAIN = "__main__"
#: In a pickle of protocol 5 every module name stands as a string with its memo opcode behind it. Two searches, as each
#: has a first byte to look for: a short string has one byte of length, one of 256 bytes and more has four.
_SHORT_NAME = rb"\x8c.(?:%b)[.\x94]"
_LONG_NAME = rb"X..\x00\x00(?:%b)[.\x94]"
_CASTABLE = frozenset("?bBhHiIlLqQnNfdcP")

#: What `copyreg.add_extension` collects: `(module, name)` to code.
EXTENSIONS: Mapping[tuple[str, str], int] = copyreg._extension_registry  # type: ignore[attr-defined]

_lock = threading.RLock()  # a garbage collection inside may run finalizers that pickle
_ours: frozenset[str] = frozenset()
_theirs: frozenset[str] = frozenset()
#: Of ours, those whose members travel as names all the same: who gets them imports the module from its file.
_by_name: frozenset[str] = frozenset()
#: Registered here, not imported here: plain pickle would import the module to look a class up. Mostly empty.
foreign: frozenset[str] = frozenset()
#: What we registered with cloudpickle ourselves.
_told: set[str] = set()


class NeedsByValueError(Exception):
    """Plain pickling met a class or function that has to travel by value."""


def register_by_value(module_name: str, members_by_name: bool = False) -> None:
    """Make functions and classes of the module (and of its submodules) travel by value; it need not be imported yet.

    ``members_by_name``: those that can be found in it by their names travel as names, with the file that it is in.
    """
    global _by_name
    if not module_name:
        raise ValueError("register_by_value takes the name of a module, got an empty string")
    with _lock:
        _by_name = _by_name.union((module_name,)) if members_by_name else _by_name.difference((module_name,))
    _change(add=(module_name,))


def unregister_by_value(module_name: str) -> None:
    """Undo `register_by_value`; ``__main__`` always travels by value. An unknown name is no error."""
    _change(remove=module_name)


def registered_by_value() -> frozenset[str]:
    """The names given to `register_by_value` here, or learnt from code that arrived."""
    return _ours


def refers_by_value(data: bytes) -> bool:
    """Whether a plain pickle may refer to a module whose code travels by value: a no is certain, a yes is likely."""
    registry = getattr(sys.modules.get("cloudpickle"), "list_registry_pickle_by_value", None)
    if registry is not None and registry() != _theirs:
        _change()
    tops, names = _searches or _compile_all()
    if _mentions(data, tops) and _mentions(data, names):
        return True
    # Classes with an extension code are pickled as a number, without the name of their module.
    return any(_is_in(module, _ours | _theirs | {_MAIN}) for module, _ in EXTENSIONS)


def careful_dumps(value: object, buffer_callback: BufferCallback | None) -> bytes:
    """Plain pickle that imports none of the ``foreign`` modules, but raises `NeedsByValueError`."""
    if foreign <= sys.modules.keys():
        _change()
        return pickle.dumps(value, 5, buffer_callback=buffer_callback)
    file = io.BytesIO()
    _CarefulPickler(file, 5, buffer_callback=buffer_callback).dump(value)
    return file.getvalue()


def dumps_by_value(value: object, buffer_callback: BufferCallback | None) -> bytes:
    """Pickle with cloudpickle; the receiver learns the names of the modules that were pickled by value."""
    _tell_cloudpickle()
    file = io.BytesIO()
    pickler = _by_value_pickler()(file, 5, buffer_callback)
    pickler.dump(_Carrier(value, pickler.seen, pickler.by_name) if _ours else value)
    return file.getvalue()


Searches = tuple[Callable[[bytes], re.Match[bytes] | None], ...]


def _compile(names: Iterable[str]) -> Searches:
    alternatives = b"|".join(re.escape(name.encode()) for name in sorted({*names, _MAIN}))
    return tuple(re.compile(form % alternatives, re.DOTALL).search for form in (_SHORT_NAME, _LONG_NAME))


def _mentions(data: bytes, searches: Searches) -> bool:
    short, long = searches
    return short(data) is not None or long(data) is not None


#: What finds the first parts of all names, and the names: hundreds of test modules may be registered, but their names
#: begin with a few packages, and those are looked for first. Made when it is needed: names come one after the other.
_searches: tuple[Searches, Searches] | None = None


def _compile_all() -> tuple[Searches, Searches]:
    global _searches
    with _lock:
        names = _ours | _theirs
        _searches = searches = _compile(name.partition(".")[0] for name in names), _compile(names)
        return searches


def _change(add: Iterable[str] = (), remove: str = "") -> None:
    global _ours, _theirs, foreign, _searches
    with _lock:
        _ours = _ours.union(add) - {remove}
        if remove in _told:
            import cloudpickle

            _told.discard(remove)
            cloudpickle.unregister_pickle_by_value(ModuleType(remove))
        _theirs = _registered_with_cloudpickle()
        foreign = frozenset(name for name in _ours if name not in sys.modules)
        _searches = None


def _registered_with_cloudpickle() -> frozenset[str]:
    """What the user registered with cloudpickle directly holds for us too."""
    registry = getattr(sys.modules.get("cloudpickle"), "list_registry_pickle_by_value", None)
    return frozenset(registry()) if registry is not None else _theirs


def _tell_cloudpickle() -> None:
    """Make cloudpickle's own registry agree. It takes imported modules only; the others it pickles by value anyway."""
    import cloudpickle

    known = cloudpickle.list_registry_pickle_by_value()
    for name in _ours:
        if name not in known and name in sys.modules:
            _told.add(name)
            cloudpickle.register_pickle_by_value(ModuleType(name))


class _CarefulPickler(pickle.Pickler):
    """Plain pickle that stops in front of a class or function of a module that must not be imported here."""

    def reducer_override(self, obj: object) -> Any:
        if isinstance(obj, (type, FunctionType)) and _is_in(obj.__module__, foreign):
            raise NeedsByValueError(obj.__module__)
        return NotImplemented


def _is_in(module: object, names: frozenset[str]) -> bool:
    if not isinstance(module, str):  # None, or whatever the user's code put there
        return False
    return module in names or ("." in module and any(module.startswith(name + ".") for name in names))


class _Carrier:
    """Pickles as its value, and tells the receiver which modules that was taken from by value."""

    __slots__ = ("by_name", "names", "value")

    def __init__(self, value: object, names: list[str], by_name: list[str]) -> None:
        self.value = value
        self.names = names
        self.by_name = by_name

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, list[str], list[str]]]:
        # The names are pickled after the value: by then the pickler has filled the lists.
        return _received, (self.value, self.names, self.by_name)


def _received(value: object, names: list[str], by_name: list[str]) -> object:
    global _by_name
    if not _by_name.issuperset(by_name):
        with _lock:
            _by_name = _by_name.union(by_name)
    if not _ours.issuperset(names):
        _change(add=names)
    return value


def _restore_memoryview(buffer: Any, format: str, shape: tuple[int, ...]) -> memoryview:  # noqa: A002 - memoryview's word
    view: Any = memoryview(buffer)
    restored: memoryview = view if format == "B" and len(shape) == 1 else view.cast(format, shape)
    return restored


def _reduce_memoryview(view: memoryview) -> tuple[Any, ...]:
    if view.c_contiguous and view.nbytes and view.ndim and view.format in _CASTABLE:
        return _restore_memoryview, (pickle.PickleBuffer(view), view.format, view.shape)
    return bytes, (view.tobytes(),)


#: What cloudpickle puts in the place of every code object's file name.
_NO_FILE = "<dynamic-code>"


def _reduce_code(code: CodeType) -> tuple[Any, ...]:
    """As cloudpickle does, but with the file's name: tracebacks and breakpoints need it."""
    from cloudpickle.cloudpickle import _code_reduce

    make, arguments = _code_reduce(code)
    return make, tuple(code.co_filename if one == _NO_FILE else one for one in arguments)


_pickler_class: Any = None


def _by_value_pickler() -> Any:
    """The subclass of cloudpickle's pickler, made at the first need."""
    global _pickler_class
    if _pickler_class is None:
        import cloudpickle

        class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc,unused-ignore]
            dispatch_table: ClassVar[Any] = ChainMap(
                {memoryview: _reduce_memoryview, CodeType: _reduce_code}, cloudpickle.Pickler.dispatch_table
            )

            def __init__(self, file: io.BytesIO, protocol: int, buffer_callback: BufferCallback | None) -> None:
                super().__init__(file, protocol, buffer_callback)
                self.seen: list[str] = []
                self.by_name: list[str] = []

            def reducer_override(self, obj: object) -> Any:
                reduced = super().reducer_override(obj)
                if reduced is not NotImplemented:
                    module = getattr(obj, "__module__", None)
                    if _is_in(module, _ours) and isinstance(reduced, tuple):
                        if module not in self.seen:
                            self.seen.append(str(module))
                            if _is_in(module, _by_name):
                                self.by_name.append(str(module))
                        reduced = reduce_member(obj, reduced, module in self.by_name)
                return reduced

        _pickler_class = ByValuePickler
    return _pickler_class
