"""The cores are pure, and the checker that says so catches what it should."""

from pathlib import Path

import pytest

from tests.unit.purity import offences

PACKAGE = Path(__file__).parents[2] / "rustyray"


def findings(source: str) -> list[str]:
    return [offence.what for offence in offences({"planted.py": source})]


def test_cores_and_model_are_pure() -> None:
    modules = {
        str(path.relative_to(PACKAGE.parent)): path.read_text(encoding="utf-8")
        for layer in ("core", "model")
        for path in PACKAGE.joinpath(layer).rglob("*.py")
    }
    assert modules
    assert "\n".join(map(str, offences(modules))) == ""


@pytest.mark.parametrize(
    "name",
    "asyncio ctypes datetime fcntl importlib io logging mmap multiprocessing os pathlib random secrets select "
    "selectors signal socket subprocess sys tempfile threading time uuid weakref".split(),
)
def test_catches_imports(name: str) -> None:
    for source in (f"import {name}", f"import {name} as x", f"from {name} import x", f"def f():\n import {name}"):
        assert len(findings(source)) == 1, source


def test_catches_submodules() -> None:
    assert findings("import os.path")
    assert findings("from collections.abc import Mapping\nimport rustyray.model.ids\nfrom . import x") == []


@pytest.mark.parametrize("name", ["open", "print", "input", "id", "hash", "eval", "exec", "breakpoint", "__import__"])
def test_catches_builtins(name: str) -> None:
    assert findings(f"x = {name}(1)")
    assert findings(f"x = sorted([], key={name})")


def test_lets_builtin_names_mean_something_else() -> None:
    assert findings("class A:\n id: bytes\n def hash(self) -> int: return self.id.hash") == []
    assert findings("def f(id: bytes) -> bytes:\n return g(lambda: id)") == []


def test_catches_global_state_and_finalizers() -> None:
    assert findings("def f():\n global x\n x = 1")
    assert findings("class A:\n def __del__(self): pass")


WALKS = {
    "loop": "for x in {expr}: pass",
    "list comprehension": "y = [x for x in {expr}]",
    "dict comprehension": "y = {{x: 1 for x in {expr}}}",
    "generator": "f(x for x in {expr})",
    "inner comprehension": "y = [x for z in q for x in {expr}]",
    "call": "y = list({expr})",
    "tuple": "y = tuple({expr})",
    "next of iter": "y = next(iter({expr}))",
    "enumerate": "for i, x in enumerate({expr}): pass",
    "zip": "y = zip(q, {expr})",
    "join": "y = b''.join({expr})",
    "extend": "q.extend({expr})",
    "fromkeys": "y = dict.fromkeys({expr})",
    "star in a list": "y = [*{expr}]",
    "star in a call": "f(*{expr})",
    "unpacking": "a, b = {expr}",
    "pop": "y = ({expr}).pop()",
    "yield from": "def g():\n yield from {expr}",
}


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
@pytest.mark.parametrize("expr", ["{1, 2}", "set(q)", "frozenset(q)", "{z for z in q}"])
def test_catches_each_walk_over_a_set(walk: str, expr: str) -> None:
    assert findings(walk.format(expr=expr))
    assert findings(walk.format(expr="[1, 2]")) == []


SETS = {
    "annotated variable": "s: set[int] = f()\nfor x in s: pass",
    "assigned variable": "s = set()\nfor x in s: pass",
    "walrus": "if s := set(q):\n for x in s: pass",
    "parameter": "def f(s: 'frozenset[int]'):\n for x in s: pass",
    "optional parameter": "def f(s: set[int] | None):\n for x in s or (): pass",
    "closure": "def f(s: set[int]):\n def g():\n  for x in s: pass",
    "abstract parameter": "def f(s: collections.abc.Set[int]):\n for x in s: pass",
    "field": "class A:\n s: set[int]\n def f(self):\n  for x in self.s: pass",
    "attribute": "class A:\n def __init__(self):\n  self.s = set()\n def f(self):\n  for x in self.s: pass",
    "annotated attribute": "class A:\n def __init__(self, s):\n  self.s: Set[int] = s\n def f(self):\n  list(self.s)",
    "attribute from a parameter": "class A:\n def __init__(self, s: set[int]):\n  self.s = s\n  list(self.s)",
    "inherited field": "class A:\n s: set[int]\nclass B(A):\n def f(self):\n  for x in self.s: pass",
    "another's field": "class A:\n s: set[int]\ndef f(a: A):\n for x in a.s: pass",
    "unknown owner": "class A:\n s: set[int]\nfor x in unknown().s: pass",
    "field of a mapping's value": "class A:\n s: set[int]\ndef f(m: dict[int, A]):\n for x in m[1].s: pass",
    "matched field": "class A:\n s: set[int]\ndef f(a):\n match a:\n  case A(s=s):\n   for x in s: pass",
    "matched position": "class A:\n n: int\n s: set[int]\ndef f(a):\n match a:\n  case A(_, s):\n   list(s)",
    "result": "def f() -> set[int]: ...\nfor x in f(): pass",
    "method's result": "class A:\n def f(self) -> set[int]: ...\nfor x in a.f(): pass",
    "property": "class A:\n @property\n def s(self) -> set[int]: ...\ndef f(a: A):\n list(a.s)",
    "alias": "Names = set[str]\ndef f(s: Names):\n for x in s: pass",
    "union": "s = {1} | q\nfor x in s: pass",
    "difference": "s: set[int]\nfor x in s - q: pass",
    "difference method": "s: set[int]\nfor x in s.difference(q): pass",
    "keys minus": "m: dict[int, int]\nfor x in m.keys() - q: pass",
    "mapping's value": "m: dict[int, set[int]]\nfor x in m[1]: pass",
    "mapping's get": "m: dict[int, set[int]]\nfor x in m.get(1, ()): pass",
    "mapping's pop": "m: dict[int, set[int]]\nfor x in m.pop(1): pass",
    "mapping's values": "m: dict[int, set[int]]\nfor s in m.values():\n for x in s: pass",
    "mapping's items": "m: dict[int, set[int]]\ny = [x for _, s in m.items() for x in s]",
    "default dict": "m = defaultdict(set)\nfor x in m[1]: pass",
    "element": "q: list[set[int]]\nfor x in q[0]: pass",
    "either": "s = set() if q else None\nfor x in s: pass",
}


@pytest.mark.parametrize("source", SETS.values(), ids=SETS)
def test_knows_a_set(source: str) -> None:
    assert findings(source)


FINE = {
    "sorted": "s: set[int]\nfor x in sorted(s): pass",
    "sorted generator": "s: set[int]\ny = sorted(x for x in s)",
    "membership": "s: set[int]\ny = 1 in s",
    "order-free folds": "s: set[int]\ny = len(s), sum(s), min(s), max(s), any(x for x in s), all(x for x in s)",
    "set to set": "s: set[int]\nt = {x + 1 for x in s}\nt.update(x for x in s)\nt = {*s, 1}\nu = s.union(*s)",
    "discard": "s: set[int]\ns.discard(1)",
    "loop over a mapping of sets": "m: dict[int, set[int]]\nfor k in m: pass\nfor k, s in m.items(): len(s)",
    "keys": "m: dict[int, int]\nfor k in m.keys(): pass",
    "same name, another class": (
        "class A:\n s: set[int]\nclass B:\n s: list[int]\n def f(self):\n  for x in self.s: pass\n"
        "def g(b: B):\n for x in b.s: pass"
    ),
    "same name, another function": "def f(s: set[int]): ...\ndef g(s: list[int]):\n for x in s: pass",
    "pop of a list": "q: list[int]\nq.pop()",
    "pop of a key": "m: dict[int, int]\nm.pop(1)",
}


@pytest.mark.parametrize("source", FINE.values(), ids=FINE)
def test_lets_be(source: str) -> None:
    assert findings(source) == []


def test_sees_attributes_across_modules() -> None:
    modules = {
        "state.py": "class State:\n waiting: set[int]",
        "use.py": "def f(state: State):\n for x in state.waiting: pass",
    }
    assert [str(offence).partition(": ")[0] for offence in offences(modules)] == ["use.py:2"]
