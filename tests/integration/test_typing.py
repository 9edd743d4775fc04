"""What ``mypy --strict`` says about programs that use RustyRay, without and with the plugin for mypy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

api = pytest.importorskip("mypy.api", reason="mypy comes with the extra [dev]")

ROOT = Path(__file__).parents[2]
CONFIG = """
[mypy]
strict = true
mypy_path = {root}
explicit_package_bases = true
{plugins}
[mypy-cloudpickle.*]
follow_imports = skip
ignore_missing_imports = true
"""

#: A comment ``N:`` is the type that ``reveal_type`` must show, ``E:`` a part of the error that must be there.
PROGRAM = """
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Generic, TypeVar
import rustyray
from rustyray import ActorHandle

T = TypeVar("T")

@rustyray.remote
class Counter:
    LIMIT = 3
    def __init__(self, start: int, name: str = "") -> None:
        self.value = start
    def add(self, amount: int, *, text: str = "") -> str:
        return text
    async def later(self, amount: int) -> str:
        return ""
    @staticmethod
    def double(amount: int) -> int:
        return 2 * amount
    @classmethod
    def limit(cls) -> int:
        return cls.LIMIT
    @rustyray.method(num_returns=2)
    def both(self) -> tuple[int, int]:
        return self.value, self.value
    def inside(self) -> tuple[int, int]:
        return self.both()

@rustyray.remote(max_restarts=1)
class Box(Generic[T]):
    def __init__(self, item: T) -> None:
        self.item = item
    def swap(self, item: T) -> T:
        return item

class Plain:
    def __init__(self, size: int) -> None: ...

Made = rustyray.remote(Plain)

@rustyray.remote
def label(number: int, *, text: str = "") -> str:
    return text

text = rustyray.put("text")
number = rustyray.put(1)

reveal_type(Counter.remote(1))  # N: ActorHandle[program.Counter]
reveal_type(Counter.remote(number, name=text))  # N: ActorHandle[program.Counter]
reveal_type(Counter.options(name="n", max_restarts=1).remote(1))  # N: ActorHandle[program.Counter]
reveal_type(Counter.cls(1))  # N: program.Counter
reveal_type(Box.remote(3))  # N: ActorHandle[program.Box[int]]
reveal_type(Made.remote(1))  # N: ActorHandle[program.Plain]
Counter.remote("1")  # E: expected "int | ObjectRef[int]"
Counter.remote()  # E: Missing positional argument "start"
Counter.options(max_restart=1)  # E: did you mean "max_restarts"?
Counter.options(name="n").remote("1")  # E: expected "int | ObjectRef[int]"
Counter(1)  # E: "Counter" is an actor class: write Counter.remote(...), or Counter.cls(...)
Made.remote("1")  # E: expected "int | ObjectRef[int]"

def calls(counter: ActorHandle[Counter], box: ActorHandle[Box[int]]) -> None:
    reveal_type(counter.add.remote(1))  # N: ObjectRef[str]
    reveal_type(counter.add.remote(number, text=text))  # N: ObjectRef[str]
    reveal_type(counter.later.remote(1))  # N: ObjectRef[str]
    reveal_type(counter.double.remote(1))  # N: ObjectRef[int]
    reveal_type(counter.limit.remote())  # N: ObjectRef[int]
    reveal_type(counter.both.remote())  # N: list[rustyray.runtime.ref.ObjectRef[Any]]
    reveal_type(counter.add.options(num_returns=2).remote(1))  # N: list[rustyray.runtime.ref.ObjectRef[Any]]
    reveal_type(counter.__ray_ready__.remote())  # N: ObjectRef[Any]
    reveal_type(box.swap.remote(1))  # N: ObjectRef[int]
    counter.add.remote("1")  # E: No overload variant of "remote"
    counter.added  # E: "Counter" has no attribute "added"
    counter.value  # E: "value" is no method of "Counter", and handles have nothing but methods

@rustyray.remote
def numbers(count: int) -> Iterator[int]:
    yield from range(count)

@rustyray.remote(num_cpus=1)
def words(count: int) -> Generator[str, None, None]:
    yield "word"

class Source:
    async def items(self, count: int) -> AsyncIterator[float]:
        yield 1.0

def reads(source: ActorHandle[Source]) -> None:
    reveal_type(numbers.remote(2))  # N: ObjectRefGenerator[int]
    reveal_type(words.remote(number))  # N: ObjectRefGenerator[str]
    reveal_type(source.items.remote(2))  # N: ObjectRefGenerator[float]
    reveal_type(rustyray.get(next(numbers.remote(2))))  # N: int
    reveal_type(numbers.options(num_returns=2).remote(2))  # N: list[rustyray.runtime.ref.ObjectRef[Any]]
    reveal_type(numbers.options(num_returns="dynamic").remote(2))  # N: ObjectRef[rustyray.runtime.generator.Dynamic
    numbers.remote("2")  # E: No overload variant of "remote"

reveal_type(label.remote(number, text=text))  # N: ObjectRef[str]
label.remote(1, text=number)  # E: expected "str | ObjectRef[str]"
"""


def check(tmp_path: Path, *arguments: str, plugins: str = "") -> str:
    config = tmp_path / "mypy.ini"
    config.write_text(CONFIG.format(root=ROOT, plugins=plugins))
    out, err, _ = api.run(["--config-file", str(config), "--cache-dir", str(tmp_path / "cache"), *arguments])
    assert err == ""
    return str(out)


def test_the_programs_of_users_are_typed(tmp_path: Path) -> None:
    assert check(tmp_path, str(ROOT / "tests" / "typing")).startswith("Success: no issues found")


def test_the_plugin_types_decorated_classes_and_methods_of_handles(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    out = check(tmp_path, str(program), plugins="plugins = rustyray.api.mypy_plugin")
    said: dict[int, list[str]] = {}
    for line, kind, text in re.findall(r"program\.py:(\d+): (error|note): (.*)", out):
        if kind == "error" or "Revealed" in text:
            said.setdefault(int(line), []).append(text)
    for number, line in enumerate(PROGRAM.splitlines(), 1):
        expected = re.search(r"# ([NE]): (.*)", line)
        messages = said.pop(number, [])
        if expected is None:
            assert messages == [], f"line {number}: {line}"
        else:
            (message,) = messages
            assert expected[2] in message, f"line {number}: {line}"
    assert said == {}
