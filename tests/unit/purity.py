"""Decides whether a module is fit to be a protocol core: no I/O, no clock, no chance, no order that varies.

The simulator replays a run from its seed, which works only if a core is a function of what it was fed. Imports, a few
builtins and global state are told from the syntax alone. The order of a set is the subtle one: it follows hashes,
which differ between processes, so a core may keep sets and test membership, but may walk one only through `sorted`.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tests.unit.shapes import SET, Shapes

ALLOWED_IMPORTS = frozenset(
    "__future__ abc bisect collections copy dataclasses difflib enum functools heapq itertools math msgspec operator "
    "re rustyray string struct textwrap types typing typing_extensions".split()
)
FORBIDDEN_BUILTINS = frozenset("__import__ breakpoint eval exec hash id input open print".split())
# Calls for which the order of their argument cannot show in the result.
ORDER_FREE = frozenset("all any bool frozenset len max min set sorted sum".split())
ORDER_FREE_METHODS = frozenset(
    "difference difference_update intersection intersection_update isdisjoint issubset issuperset "
    "symmetric_difference symmetric_difference_update union update".split()
)
ORDERED_CALLS = frozenset("deque dict enumerate filter iter list map next reversed tuple zip OrderedDict".split())
ORDERED_METHODS = frozenset("extend extendleft fromkeys join".split())


@dataclass(frozen=True, order=True)
class Offence:
    """One thing that a core must not do."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


def offences(modules: dict[str, str]) -> list[Offence]:
    """Check the modules (file name to source) together: an attribute declared in one may be walked in another."""
    trees = {file: ast.parse(source, file) for file, source in modules.items()}
    shapes = Shapes(trees.values())
    return sorted(offence for file, tree in trees.items() for offence in _Checker(file, tree, shapes).run())


@dataclass
class _Checker:
    file: str
    tree: ast.Module
    shapes: Shapes

    def run(self) -> list[Offence]:
        return [
            Offence(self.file, getattr(node, "lineno", 0), what)
            for node in ast.walk(self.tree)
            for what in self.judge(node)
        ]

    def judge(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Import(names=names):
                yield from (self.bad_import(alias.name) for alias in names if _top(alias.name) not in ALLOWED_IMPORTS)
            case ast.ImportFrom(module=str(module), level=0) if _top(module) not in ALLOWED_IMPORTS:
                yield self.bad_import(module)
            case ast.Global():
                yield f"global {', '.join(node.names)}: a core keeps its state in objects"
            case ast.FunctionDef(name="__del__"):
                yield "__del__ runs when the collector likes"
            case ast.Name(id=name, ctx=ast.Load()) if name in FORBIDDEN_BUILTINS and not self.shapes.bound(node):
                yield f"{name}() is I/O, or differs from one process to the next"
        yield from (
            f"{how} a set: its order differs from one process to the next; use sorted()" for how in self.walks(node)
        )

    def bad_import(self, name: str) -> str:
        return f"import of {name}: a core imports only {', '.join(sorted(ALLOWED_IMPORTS - {'__future__'}))}"

    def is_set(self, node: ast.expr) -> bool:
        return self.shapes.of(node) == SET

    def walks(self, node: ast.AST) -> Iterator[str]:
        """Say how the node depends on the order of a set, if it does."""
        match node:
            case ast.For(iter=source) | ast.YieldFrom(value=source) if self.is_set(source):
                yield "loop over"
            case ast.ListComp() | ast.DictComp() | ast.GeneratorExp() if not self.order_free(node):
                yield from ("comprehension over" for part in node.generators if self.is_set(part.iter))
            case ast.Starred(value=source, ctx=ast.Load()) if self.is_set(source) and not self.order_free(node):
                yield "unpacking of"
            case ast.Assign(targets=[ast.Tuple(elts=[_, _, *_]) | ast.List(elts=[_, _, *_])], value=source):
                if self.is_set(source):
                    yield "unpacking of"
            case ast.Call(func=ast.Name(id=name), args=args) if name in ORDERED_CALLS:
                yield from (f"{name}() over" for argument in args if self.is_set(argument))
            case ast.Call(func=ast.Attribute(attr=name), args=args) if name in ORDERED_METHODS:
                yield from (f".{name}() over" for argument in args if self.is_set(argument))
            case ast.Call(func=ast.Attribute(attr="deque" | "OrderedDict" | "chain" as name), args=args):
                yield from (f"{name}() over" for argument in args if self.is_set(argument))
            case ast.Call(func=ast.Attribute(value=receiver, attr="pop"), args=[]) if self.is_set(receiver):
                yield ".pop() from"

    def order_free(self, node: ast.expr) -> bool:
        """Whether the node is itself handed to something for which order cannot show."""
        match self.shapes.parents[node]:
            case ast.Set():
                return True
            case ast.Call(func=ast.Name(id=name)):
                return name in ORDER_FREE
            case ast.Call(func=ast.Attribute(value=receiver, attr=name)):
                return name in ORDER_FREE_METHODS and self.is_set(receiver)
        return False


def _top(name: str) -> str:
    return name.partition(".")[0]
