"""Code of ``__main__`` and of registered modules travels whole, and nobody imports these modules to pickle it."""

import collections
import copyreg
import functools
import importlib
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from rustyray.runtime import serialization_stand_ins
from rustyray.runtime.serialization import (
    dumps,
    dumps_function,
    loads,
    register_by_value,
    registered_by_value,
    unregister_by_value,
)

MODULE_SOURCE = """
import dataclasses, enum, functools, builtins

builtins.imported_by_value_probe = getattr(builtins, "imported_by_value_probe", 0) + 1
SCALE = 10

def scale(x):
    return SCALE * x

@functools.wraps(len)
def wrapped(x):
    return scale(x)

@dataclasses.dataclass
class Point:
    x: int
    def scaled(self):
        return scale(self.x)
    class Inner:
        pass

class Color(enum.Enum):
    RED = 1

class Oops(Exception):
    pass
"""


@pytest.fixture
def make_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Make and import a module of a given name; afterwards it was never there."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    registered = registered_by_value()

    def make(name: str) -> ModuleType:
        file = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        for package in file.relative_to(tmp_path).parents:
            if package.name:
                (tmp_path / package / "__init__.py").touch()
        file.write_text(MODULE_SOURCE)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield make
    for name in set(sys.modules) - before:
        if hasattr(sys.modules[name], "__file__") and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]
    for name in registered_by_value() - registered:
        unregister_by_value(name)


def away(name: str) -> None:
    """Make this process one that neither has the module nor knows about it."""
    del sys.modules[name]
    unregister_by_value(name)


class TestByValue:
    def test_importable_code_travels_as_a_name(self, make_module: Callable[[str], Any]) -> None:
        module = make_module("rr_plain")
        assert len(dumps(module.Point(1)).data) < 100
        blob, refs = dumps_function(module.scale)
        assert len(blob) < 100
        assert refs == []

    @pytest.mark.parametrize(
        "pick",
        [
            lambda module: module.scale,
            lambda module: [{"f": module.scale}],
            lambda module: functools.partial(module.scale, 1),
            lambda module: module.Point(1).scaled,
            lambda module: module.Point,
            lambda module: module.Point(3),
            lambda module: module.Point.Inner(),
            lambda module: module.Color.RED,
            lambda module: module.Oops("x"),
            lambda module: module.wrapped,
            lambda module: module.Point.Inner,
            lambda module: ("rr_registered", module.Point(1), b"rr_registered"),
            lambda module: collections.defaultdict(module.Point),
            lambda module: np.array([module.Point(1)], dtype=object),
        ],
    )
    def test_registered_code_works_where_the_module_is_missing(
        self, make_module: Callable[[str], Any], pick: Callable[[Any], Any]
    ) -> None:
        module = make_module("rr_registered")
        register_by_value("rr_registered")
        serialized = dumps(pick(module))
        away("rr_registered")
        sys.path.pop(0)
        loads(serialized.data, serialized.buffers)
        assert "rr_registered" not in sys.modules

    def test_a_function_brings_what_it_refers_to(self, make_module: Callable[[str], Any]) -> None:
        module = make_module("rr_function")
        register_by_value("rr_function")
        module.SCALE = 7
        blob, _ = dumps_function(module.Point)
        away("rr_function")
        assert loads(blob)(3).scaled() == 21

    def test_a_package_stands_for_its_modules(self, make_module: Callable[[str], Any]) -> None:
        module = make_module("rr_package.sub.mod")
        register_by_value("rr_package")
        assert len(dumps(module.Point(1)).data) > 500

    def test_a_name_is_not_taken_for_a_longer_one(self, make_module: Callable[[str], Any]) -> None:
        module = make_module("rr_nameandmore")
        register_by_value("rr_name")
        assert len(dumps(module.Point(1)).data) < 100

    def test_a_very_long_module_name(self, make_module: Callable[[str], Any]) -> None:
        name = ".".join(["rr_long", *["x" * 90] * 3])
        module = make_module(name)
        register_by_value("rr_long")
        assert len(dumps(module.Point(1)).data) > 800

    def test_an_extension_code_does_not_hide_the_module(self, make_module: Callable[[str], Any]) -> None:
        module = make_module("rr_extension")
        register_by_value("rr_extension")
        copyreg.add_extension("rr_extension", "Point", 0xF0F0)
        try:
            assert len(dumps(module.Point(1)).data) > 500
        finally:
            copyreg.remove_extension("rr_extension", "Point", 0xF0F0)

    def test_unregistering(self, make_module: Callable[[str], Any]) -> None:
        module = make_module("rr_unregister")
        register_by_value("rr_unregister")
        assert len(dumps(module.Point(1)).data) > 500
        unregister_by_value("rr_unregister")
        assert len(dumps(module.Point(1)).data) < 100
        assert len(dumps_function(module.scale)[0]) < 100
        unregister_by_value("rr_unregister")

    def test_what_is_registered_with_cloudpickle_counts(self, make_module: Callable[[str], Any]) -> None:
        import cloudpickle

        module = make_module("rr_theirs")
        assert len(dumps(module.Point(1)).data) < 100
        cloudpickle.register_pickle_by_value(module)
        assert len(dumps(module.Point(1)).data) > 500
        cloudpickle.unregister_pickle_by_value(module)
        assert len(dumps(module.Point(1)).data) < 100

    def test_main_always_travels_by_value(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Script:
            value = 5

        Script.__module__ = "__main__"
        Script.__qualname__ = "Script"
        monkeypatch.setattr(sys.modules["__main__"], "Script", Script, raising=False)
        assert len(pickle.dumps(Script(), 5)) < 100
        serialized = dumps([Script()])
        monkeypatch.delattr(sys.modules["__main__"], "Script")
        assert loads(serialized.data)[0].value == 5

    def test_the_receiver_never_imports_the_module(self, make_module: Callable[[str], Any]) -> None:
        module = make_module("rr_receiver")
        register_by_value("rr_receiver")
        sent = dumps(module.Point(4))
        away("rr_receiver")
        arrived = loads(sent.data)
        assert "rr_receiver" in registered_by_value()
        back = dumps([arrived, {"type": type(arrived)}])
        assert "rr_receiver" not in sys.modules
        assert loads(back.data)[0].x == 4

    def test_a_value_that_returns_has_its_own_class_again(self, make_module: Callable[[str], Any]) -> None:
        module = make_module("rr_identity")
        register_by_value("rr_identity")
        assert type(loads(dumps(module.Point(1)).data)) is module.Point
        assert loads(dumps(module.Point(1)).data) == module.Point(1)

    def test_a_module_that_is_registered_before_its_import(self, make_module: Callable[[str], Any]) -> None:
        register_by_value("rr_early")
        serialized = dumps([np.arange(2), len])
        assert loads(serialized.data, serialized.buffers)[1] is len
        module = make_module("rr_early")
        assert len(dumps(module.Point(1)).data) > 500

    def test_assertions_of_test_modules_explain_themselves(self, monkeypatch: pytest.MonkeyPatch) -> None:
        register_by_value(__name__)
        try:
            sent = dumps_function(rewritten)[0]
            monkeypatch.setattr(serialization_stand_ins, "present", serialization_stand_ins.StandIns(may_be_home=False))
            arrived = loads(sent)
        finally:
            unregister_by_value(__name__)
        assert arrived is not rewritten
        with pytest.raises(AssertionError, match=r"assert \(2 \+ 1\) == 5"):
            arrived(2)

    def test_an_empty_name_is_refused(self) -> None:
        with pytest.raises(ValueError, match="empty"):
            register_by_value("")


def rewritten(x: int) -> None:
    assert x + 1 == 5
