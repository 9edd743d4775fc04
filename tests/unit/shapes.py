"""Tells, from the syntax alone, which expressions are sets.

A small inference over what strictly typed code declares anyway: annotations of variables, parameters, attributes and
results, plus displays, comprehensions and the methods of sets and mappings. What it cannot tell (a set handed on as an
`Iterable`) it takes for something else.
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from types import UnionType


@dataclass(frozen=True)
class Shape:
    """What is known of a value: its kind, and the shapes of what it holds (a class's name, for kind "object")."""

    kind: str
    inner: tuple["Shape | None", ...] = ()
    name: str = ""

    def held(self) -> "Shape | None":
        """The values of a mapping, the elements of a sequence."""
        return self.inner[0] if self.kind in ("map", "seq") else None


SET = Shape("set")
KEYS = Shape("keys")
SETS = frozenset("AbstractSet FrozenSet MutableSet Set frozenset set".split())
MAPS = frozenset("DefaultDict Dict Mapping MutableMapping OrderedDict defaultdict dict".split())
SEQUENCES = frozenset("Collection Deque Iterable Iterator List Sequence Tuple deque list tuple".split())
WRAPPERS = frozenset("Annotated ClassVar Final InitVar Optional ReadOnly".split())
SET_METHODS = frozenset("copy difference intersection symmetric_difference union".split())
Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
Thunk = Callable[[], "Shape | None"]


def map_of(held: Shape | None) -> Shape:
    return Shape("map", (held,))


def seq_of(held: Shape | None) -> Shape:
    return Shape("seq", (held,))


def tail(node: ast.AST | None) -> str:
    """`set` of `set`, `typing.Set` and so on."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


class Shapes:
    """What a group of modules declares; ask `of` for the shape of any expression in them."""

    def __init__(self, trees: Iterable[ast.Module]) -> None:
        self.parents: dict[ast.AST, ast.AST] = {}
        self.aliases: dict[str, ast.expr] = {}
        self.classes: dict[str, dict[str, list[Thunk]]] = {}
        self.bases: dict[str, list[str]] = {}
        self.returns: dict[str, list[ast.expr]] = {}
        self.names: dict[ast.AST, dict[str, list[Thunk]]] = {}
        self.asking: set[tuple[ast.AST | str, str]] = set()
        trees = list(trees)
        for tree in trees:
            for node in ast.walk(tree):
                for child in ast.iter_child_nodes(node):
                    self.parents[child] = node
        for tree in trees:
            for node in ast.walk(tree):
                self.declare(node)

    # What is declared

    def declare(self, node: ast.AST) -> None:
        match node:
            case ast.ClassDef():
                self.bases[node.name] = [tail(base) for base in node.bases]
                self.classes.setdefault(node.name, {})
            case ast.FunctionDef(returns=ast.expr() as returns) | ast.AsyncFunctionDef(returns=ast.expr() as returns):
                self.returns.setdefault(node.name, []).append(returns)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript() | ast.BinOp() as value):
                if isinstance(self.parents[node], ast.Module):
                    self.aliases[name] = value
        for target, thunk in self.binds(node):
            if isinstance(target, ast.Attribute) and tail(target.value) == "self":
                self.attribute(self.enclosing(target, ast.ClassDef), target.attr, thunk)
            elif isinstance(target, ast.Name):
                scope = self.scope(target)
                self.names.setdefault(scope, {}).setdefault(target.id, []).append(thunk)
                self.attribute(scope, target.id, thunk)

    def attribute(self, owner: ast.AST | None, name: str, thunk: Thunk) -> None:
        if isinstance(owner, ast.ClassDef):
            self.classes.setdefault(owner.name, {}).setdefault(name, []).append(thunk)

    def binds(self, node: ast.AST) -> Iterator[tuple[ast.expr, Thunk]]:
        """Yield each target that the node binds, with a way to learn its shape."""
        match node:
            case ast.AnnAssign(target=target, annotation=annotation):
                yield target, lambda: self.annotation(annotation)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield from self.unpack(target, lambda: self.of(value))
            case ast.NamedExpr(target=target, value=value):
                yield target, lambda: self.of(value)
            case ast.For(target=target, iter=source) | ast.comprehension(target=target, iter=source):
                yield from self.unpack(target, lambda: self.element(self.of(source)))
            case ast.arg(arg=name, annotation=annotation):
                yield self.placed(name, node), lambda: self.parameter(node, annotation)
            case ast.FunctionDef(name=name, decorator_list=[*_, ast.Name(id="property" | "cached_property")]):
                yield self.placed(name, node), lambda: self.annotation(node.returns)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield self.placed(name, node), lambda: None
            case ast.alias(name=name, asname=asname):
                yield self.placed(asname or name.partition(".")[0], node), lambda: None
            case ast.MatchClass(cls=cls, patterns=patterns, kwd_attrs=attributes, kwd_patterns=keyword_patterns):
                fields = [*list(self.classes.get(tail(cls), {}))[: len(patterns)], *attributes]
                for attribute, pattern in zip(fields, [*patterns, *keyword_patterns], strict=False):
                    if isinstance(pattern, ast.MatchAs) and pattern.name is not None:
                        yield self.placed(pattern.name, pattern), partial(self.member, tail(cls), attribute)

    def unpack(self, target: ast.expr, whole: Thunk) -> Iterator[tuple[ast.expr, Thunk]]:
        if not isinstance(target, ast.Tuple | ast.List):
            yield target, whole
            return
        for index, element in enumerate(target.elts):
            yield from self.unpack(element, partial(self.part_of, whole, index))

    def element(self, whole: Shape | None) -> Shape | None:
        """What a loop over it yields: of a mapping, keys, which are never sets."""
        return whole.held() if whole is not None and whole.kind == "seq" else None

    def part_of(self, whole: Thunk, index: int) -> Shape | None:
        return self.part(whole(), index)

    def part(self, whole: Shape | None, index: int) -> Shape | None:
        if whole is not None and whole.kind == "pair":
            return whole.inner[index] if index < len(whole.inner) else None
        return whole.held() if whole is not None else None

    def placed(self, name: str, where: ast.AST) -> ast.Name:
        """A name where the syntax has only a string."""
        node = ast.Name(name, ast.Store())
        self.parents[node] = self.parents[where]
        return node

    def parameter(self, node: ast.arg, annotation: ast.expr | None) -> Shape | None:
        owner = self.parents.get(self.scope(node))
        if node.arg == "self" and isinstance(owner, ast.ClassDef):
            return Shape("object", name=owner.name)
        return self.annotation(annotation)

    def annotation(self, node: ast.expr | None) -> Shape | None:
        """The shape that an annotation promises."""
        match node:
            case ast.Constant(value=str(text)):
                return self.annotation(ast.parse(text, mode="eval").body)
            case ast.BinOp(left=left, right=right):
                return self.annotation(left) or self.annotation(right)
            case ast.Subscript(value=value, slice=inside):
                parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
                if tail(value) in MAPS:
                    return map_of(self.annotation(parts[-1]))
                if tail(value) in SEQUENCES:
                    return seq_of(self.annotation(parts[0]))
                return self.annotation(parts[0] if tail(value) in WRAPPERS else value)
            case ast.Name() | ast.Attribute():
                name = tail(node)
                if name in SETS:
                    return SET
                if name in self.classes:
                    return Shape("object", name=name)
                return self.annotation(self.aliases.get(name))
        return None

    # What an expression is

    def of(self, node: ast.expr) -> Shape | None:
        match node:
            case ast.Set() | ast.SetComp():
                return SET
            case ast.Name(id=name):
                return self.variable(node, name)
            case ast.Attribute(value=value, attr=name):
                receiver = self.of(value)
                return self.member(receiver.name if receiver is not None else "", name)
            case ast.NamedExpr(value=value) | ast.Starred(value=value):
                return self.of(value)
            case ast.BoolOp(values=values):
                return self.first(values)
            case ast.IfExp(body=body, orelse=orelse):
                return self.first([body, orelse])
            case ast.BinOp(left=left, right=right, op=ast.BitOr() | ast.BitAnd() | ast.BitXor() | ast.Sub()):
                return SET if {self.of(left), self.of(right)} & {SET, KEYS} else self.of(left)
            case ast.Subscript(value=value, slice=index):
                shape = self.of(value)
                return shape if isinstance(index, ast.Slice) else self.part(shape, 0)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return seq_of(self.first(elements))
            case ast.Dict(values=values):
                return map_of(self.first(values))
            case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element):
                return seq_of(self.of(element))
            case ast.DictComp(value=value):
                return map_of(self.of(value))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self.call(name, arguments)
            case ast.Call(func=ast.Attribute(value=receiver_node, attr=name)):
                return self.method(self.of(receiver_node), name)
        return None

    def first(self, nodes: Iterable[ast.expr]) -> Shape | None:
        return next((shape for shape in map(self.of, nodes) if shape is not None), None)

    def call(self, name: str, arguments: list[ast.expr]) -> Shape | None:
        if name in SETS:
            return SET
        if name in self.classes:
            return Shape("object", name=name)
        if name == "defaultdict" and arguments:
            return map_of(SET if tail(arguments[0]) in SETS else None)
        if name in ("deque", "list", "reversed", "sorted", "tuple") and arguments:
            return seq_of(self.element(self.of(arguments[0])))
        return self.returned(name)

    def method(self, receiver: Shape | None, name: str) -> Shape | None:
        match receiver.kind if receiver is not None else "", name:
            case "set", _:
                return SET if name in SET_METHODS else None
            case "map", "get" | "pop" | "setdefault":
                return self.part(receiver, 0)
            case "map", "values":
                return seq_of(self.part(receiver, 0))
            case "map", "items":
                return seq_of(Shape("pair", (None, self.part(receiver, 0))))
            case "map", "keys":
                return KEYS
            case "seq", "pop" | "popleft":
                return self.part(receiver, 0)
            case "map" | "seq", "copy":
                return receiver
            case "map" | "seq", _:
                return None
        return self.returned(name)

    def returned(self, name: str) -> Shape | None:
        return self.agreed([partial(self.annotation, node) for node in self.returns.get(name, [])])

    def agreed(self, thunks: list[Thunk]) -> Shape | None:
        """The one shape that all declarations give, if they do."""
        shapes = {thunk() for thunk in thunks}
        return shapes.pop() if len(shapes) == 1 else None

    def member(self, owner: str, name: str) -> Shape | None:
        """An attribute's shape: its class's word where the class is known, else what all classes agree on."""
        if (owner, name) in self.asking:
            return None
        self.asking.add((owner, name))
        try:
            declared = self.classes.get(owner, {}).get(name)
            if declared is not None:
                return next(filter(None, (thunk() for thunk in declared)), None)
            for base in self.bases.get(owner, []):
                if (shape := self.member(base, name)) is not None:
                    return shape
            return self.agreed(
                [partial(self.member, other, name) for other, names in self.classes.items() if name in names]
            )
        finally:
            self.asking.discard((owner, name))

    def variable(self, node: ast.Name, name: str) -> Shape | None:
        scope: ast.AST | None = self.scope(node)
        while scope is not None:
            thunks = self.names.get(scope, {}).get(name)
            if thunks is not None:
                if (scope, name) in self.asking:
                    return None
                self.asking.add((scope, name))
                try:
                    return next(filter(None, (thunk() for thunk in thunks)), None)
                finally:
                    self.asking.discard((scope, name))
            scope = self.scope(scope) if not isinstance(scope, ast.Module) else None
        return None

    # Where it stands

    def bound(self, node: ast.Name) -> bool:
        """Whether the name means something of the module's own, not the builtin."""
        scope = self.scope(node)
        while node.id not in self.names.get(scope, {}):
            if isinstance(scope, ast.Module):
                return False
            scope = self.scope(scope)
        return True

    def scope(self, node: ast.AST) -> ast.AST:
        return self.enclosing(node, Scope)

    def enclosing(self, node: ast.AST, kind: type | UnionType) -> ast.AST:
        """The nearest node of the kind around it; the module where there is none."""
        parent = self.parents[node]
        while not isinstance(parent, kind) and not isinstance(parent, ast.Module):
            parent = self.parents[parent]
        return parent
