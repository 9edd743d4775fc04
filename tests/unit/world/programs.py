"""Random programs for the world: scripts made by a chooser, in which every value has a known shape.

A script only does what it can: refs are taken out of values that hold some, actors are called on handles. All errors
that scripts raise have the same text, so that it does not matter which of several is met first.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rustyray.engines.sim.scripted import scripts as s
from rustyray.engines.sim.scripted.scripts import ActorScript, Expr, Script, Step
from rustyray.engines.sim.world.chooser import Chooser
from rustyray.model.messages import Packing
from rustyray.model.streams import streaming
from tests.unit.world.limits import Limits
from tests.unit.world.shapes import Handle, RefTo, Shape, Stream, has_handle, refs_inside

BOOM = "boom"
#: Numbers of what actors keep for their callers are greater: no other number is.
SLOTS = 1000
#: A burst is of so many runs at most, those of the functions that it calls included.
MANY = 24


@dataclass
class Maker:
    """Makes scripts; ``chooser`` decides, 0 meaning the simplest."""

    chooser: Chooser
    limits: Limits = field(default_factory=Limits)
    count: int = 0

    def pick(self, count: int) -> int:
        return self.chooser.pick("program", count)

    def program(self) -> Script:
        """A driver's script: it returns what it could get of all its refs."""
        steps, shapes = self.body([], self.limits.depth, main=True)
        found: list[Expr] = []
        for name, shape in list(shapes.items()):
            if isinstance(shape, RefTo):
                steps.append(s.Get(f"end_{name}", [name], catch=True))
                found.append(f"end_{name}")
        return Script("driver", [*steps, s.Return(found)])

    def script(self, args: list[Shape], depth: int, waits: bool = True, returns: int = 1) -> tuple[Script, Shape]:
        """A function for arguments of these shapes, and the shape of its result (of a list of them, if it ``returns``
        more than one).

        Without ``waits`` it is an actor's method that waits for nothing: what it waited for might be a task that calls
        the same actor, and that is a deadlock of the program's own.
        """
        self.count += 1
        name = f"f{self.count}"
        steps, shapes = self.body(args, depth, main=False, waits=waits)
        value, shape = self.result(shapes)
        if returns > 1:
            results = [(value, shape), *(self.result(shapes) for _ in range(returns - 1))]
            value, shape = [value for value, _ in results], tuple(shape for _, shape in results)
        big = self.limits.big and self.pick(self.limits.bigs) == self.limits.bigs - 1
        steps.append(s.Return(value, big))
        cpus = self.limits.cpus[self.pick(len(self.limits.cpus))]
        retries, calls = self.limits.max_retries, self.calls()
        return Script(name, steps, returns, cpus, max_retries=retries, max_calls=calls), shape

    def returns(self) -> int:
        """How many values a function returns."""
        return 1 + self.pick(2) if self.limits.several else 1

    def take_results(self, shapes: dict[str, Shape], into: str, shape: Shape, returns: int) -> list[Step]:
        """What was called ``into`` returns values of this shape: a variable for each, if there are several."""
        if returns == 1:
            shapes[into] = RefTo(shape)
            return []
        assert isinstance(shape, tuple)
        shapes[into] = refs = tuple(RefTo(part) for part in shape)
        steps: list[Step] = []
        for number, ref in enumerate(refs):
            name = self.name("r")
            shapes[name] = ref
            steps.append(s.Pick(name, into, number))
        return steps

    def calls(self) -> int:
        """How often one process may run a function."""
        return self.pick(3) if self.limits.recycled else 0

    def result(self, shapes: dict[str, Shape]) -> tuple[Expr, Shape]:
        out = [name for name, shape in shapes.items() if not has_handle(shape)]
        if not self.limits.refs_out:
            out = [name for name in out if not refs_inside(shapes[name])]
        if not out:
            return 1, 0
        chosen = [out[self.pick(len(out))] for _ in range(1 + self.pick(2))]
        shape = tuple(shapes[name] for name in chosen)
        return list(chosen), shape

    # --- bodies -------------------------------------------------------------------------------------------------------

    def body(
        self, args: list[Shape], depth: int, main: bool, waits: bool = True
    ) -> tuple[list[Step], dict[str, Shape]]:
        shapes: dict[str, Shape] = {f"a{number}": shape for number, shape in enumerate(args)}
        steps: list[Step] = []
        for _ in range(1 + self.pick(self.limits.steps) + (3 if main else 0)):
            steps += self.step(shapes, depth, main, waits)
        return steps, shapes

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def step(self, shapes: dict[str, Shape], depth: int, main: bool, waits: bool) -> list[Step]:
        makers = [self.submit, self.work, self.burst, self.put, self.take, self.drop]
        if waits:
            makers += [self.get, self.wait, self.actor]
        if main and self.limits.keep and self.limits.refs_out:
            makers += [self.lend] * 3
        if main and self.limits.groups:
            makers += [self.group, self.group]
        if self.limits.streams and waits:
            makers += [self.stream, self.stream, self.next, self.next, self.next]
        for name in self.limits.favour:
            makers += [maker for maker in makers if maker.__name__ == name] * 3
        steps = makers[self.pick(len(makers))](shapes, depth)
        if not steps and not main and self.limits.errors and self.pick(8) == 7:
            return [s.Raise(BOOM)]
        return steps

    def refs(self, shapes: dict[str, Shape]) -> list[str]:
        return [name for name, shape in shapes.items() if isinstance(shape, RefTo)]

    def work(self, shapes: dict[str, Shape], depth: int) -> list[Step]:
        return [s.Work((0.0, 0.0005, 0.01, 0.3)[self.pick(4)])]

    def arguments(self, shapes: dict[str, Shape]) -> tuple[list[Expr], list[Shape]]:
        args: list[Expr] = []
        given: list[Shape] = []
        for _ in range(self.pick(3)):
            names = [name for name, shape in shapes.items() if not isinstance(shape, Stream)]
            if not names or self.pick(4) == 3:
                args.append(self.pick(5))
                given.append(0)
                continue
            name = names[self.pick(len(names))]
            shape = shapes[name]
            if isinstance(shape, RefTo) and self.pick(2):
                args.append(name)
                given.append(shape.of)
            elif isinstance(shape, RefTo):
                args.append([name])
                given.append((shape,))
            else:
                args.append(name)
                given.append(shape)
        return args, given

    def submit(self, shapes: dict[str, Shape], depth: int) -> list[Step]:
        if depth <= 0:
            return self.work(shapes, depth)
        args, given = self.arguments(shapes)
        returns = self.returns()
        script, shape = self.script(given, depth - 1, returns=returns)
        into = self.name("r")
        return [s.Submit(into, script, args), *self.take_results(shapes, into, shape, returns)]

    def stream(self, shapes: dict[str, Shape], depth: int) -> list[Step]:
        """Call a script that streams: a function, or a method of an actor that is there."""
        if depth <= 0:
            return self.work(shapes, depth)
        handles = [name for name, shape in shapes.items() if isinstance(shape, Handle)]
        handle = handles[self.pick(len(handles))] if handles and self.pick(3) == 2 else ""
        args, given = self.arguments(shapes)
        script, items = self.streaming_script(given, depth - 1, waits=not handle)
        into = self.name("s")
        shapes[into] = Stream(items)
        steps: list[Step] = [s.Call(into, handle, script, args) if handle else s.Submit(into, script, args)]
        if self.limits.cancels and self.pick(6) == 5:
            steps.append(s.Cancel(into, force=not handle and self.pick(4) == 3))
        return steps

    def streaming_script(self, args: list[Shape], depth: int, waits: bool) -> tuple[Script, list[Shape]]:
        self.count += 1
        name = f"f{self.count}"
        shapes: dict[str, Shape] = {f"a{number}": shape for number, shape in enumerate(args)}
        steps: list[Step] = []
        items: list[Shape] = []
        for _ in range(self.pick(5)):
            steps += self.step(shapes, depth, main=False, waits=waits)
            value, shape = self.result(shapes)
            steps.append(s.Yield(value, self.limits.big and self.pick(4) == 3))
            items.append(shape)
        limit = self.pick(4) if waits else 0  # another call of the actor might be what its reader waits for
        cpus = self.limits.cpus[self.pick(len(self.limits.cpus))]
        retries, calls = self.limits.max_retries, self.calls()
        script = Script(name, steps, returns=streaming(limit), cpus=cpus, max_retries=retries, max_calls=calls)
        return script, items

    def next(self, shapes: dict[str, Shape], depth: int) -> list[Step]:
        streams = [(name, shape) for name, shape in shapes.items() if isinstance(shape, Stream) and shape.items]
        if not streams:
            return []
        steps: list[Step] = []
        name, stream = streams[self.pick(len(streams))]
        for _ in range(min(1 + self.pick(3), len(stream.items))):
            into = self.name("i")
            shapes[into] = RefTo(stream.items.pop(0))
            steps.append(s.Next(into, name))
        return steps

    def burst(self, shapes: dict[str, Shape], depth: int) -> list[Step]:
        """The same function many times, so that it becomes known and is pushed ahead."""
        steps = self.submit(shapes, min(depth, 2))
        first = steps[0]
        if not isinstance(first, s.Submit):
            return steps
        for _ in range(min(self.pick(6), MANY // sum(1 for _ in first.script.walk()))):
            into = self.name("r")
            shapes[into] = shapes[first.into]
            steps.append(s.Submit(into, first.script, first.args))
        if self.limits.cancels and self.pick(3) == 2:
            steps.append(s.Cancel(first.into, force=self.pick(4) == 3))
        return steps

    def get(self, shapes: dict[str, Shape], depth: int) -> list[Step]:
        refs = self.refs(shapes)
        if not refs:
            return []
        chosen = [refs[self.pick(len(refs))] for _ in range(1 + self.pick(2))]
        into = self.name("v")
        of = [shapes[name] for name in chosen]
        shapes[into] = tuple(shape.of for shape in of if isinstance(shape, RefTo))
        return [s.Get(into, chosen)]

    def take(self, shapes: dict[str, Shape], depth: int) -> list[Step]:
        able = [name for name, shape in shapes.items() if refs_inside(shape) and not has_handle(shape)]
        if not able:
            return []
        name = able[self.pick(len(able))]
        inside = refs_inside(shapes[name])
        number = self.pick(len(inside))
        into = self.name("t")
        shapes[into] = inside[number]
        return [s.Pick(into, name, number)]

    def put(self, shapes: dict[str, Shape], depth: int) -> list[Step]:
        args, _ = self.arguments(shapes)
        args = [arg for arg in args if not isinstance(arg, str) or not has_handle(shapes[arg])]
        into = self.name("p")
        shape = tuple(self.shape_of(arg, shapes) for arg in args)
        shapes[into] = RefTo(shape)
        return [s.Put(into, args, self.limits.big and self.limits.big_puts and self.pick(4) == 3)]

    def shape_of(self, expr: Expr, shapes: dict[str, Shape]) -> Shape:
        if isinstance(expr, str):
            return shapes[expr]
        if isinstance(expr, list):
            return tuple(self.shape_of(part, shapes) for part in expr)
        return 0

    def wait(self, shapes: dict[str, Shape], depth: int) -> list[Step]:
        refs = self.refs(shapes)
        return [s.Wait(refs, 1 + self.pick(len(refs)))] if refs else []

    def drop(self, shapes: dict[str, Shape], depth: int) -> list[Step]:
        names = [name for name in shapes if not name.startswith("a")]
        if not names:
            return []
        name = names[self.pick(len(names))]
        shape = shapes.pop(name)
        if self.limits.keep and not isinstance(shape, Stream) and self.pick(2):
            return [s.Keep(name)]
        return [s.Drop(name)]

    def group(self, shapes: dict[str, Shape], depth: int) -> list[Step]:
        """Tasks in a placement group, which is removed when they are done, or (with ``kills``) at any time.

        It never takes more than 1 CPU, so that there is room for it and for all that its tasks submit.
        """
        name = self.name("g")
        cpus = ((0.5,), (0.5, 0.5), (1,))[self.pick(3)]
        packing = (Packing.PACK, Packing.SPREAD, Packing.STRICT_PACK)[self.pick(3)]
        steps: list[Step] = [s.MakeGroup(name, cpus, packing)]
        if self.pick(2):
            into = self.name("r")
            shapes[into] = RefTo(0)
            steps += [s.ReadyGroup(into, name), s.Get(self.name("v"), [into])]
        made: list[str] = []
        for _ in range(1 + self.pick(4)):
            args, given = self.arguments(shapes)
            script, shape = self.script(given, depth - 1)
            bundle = self.pick(len(cpus) + 1) - 1
            into = self.name("r")
            shapes[into] = RefTo(shape)
            made.append(into)
            steps.append(s.Submit(into, replace(script, cpus=0.5), args, name, bundle))
        if not self.limits.kills or self.pick(2):
            steps.append(s.Wait(made, len(made)))
        return [*steps, s.RemoveGroup(name)]

    def actor(self, shapes: dict[str, Shape], depth: int) -> list[Step]:
        """Call an actor that is there, or make one."""
        if not self.limits.actors or depth <= 0:
            return self.work(shapes, depth)
        handles = [name for name, shape in shapes.items() if isinstance(shape, Handle)]
        if not handles or self.pick(4) == 3:
            into = self.name("h")
            limits = self.limits
            actor = ActorScript(f"A{into}", max_restarts=limits.max_restarts, max_task_retries=limits.max_task_retries)
            args: list[Expr] = []
            if limits.built:
                args, given = self.arguments(shapes)
                actor = replace(actor, init=self.script(given, depth - 1)[0])
            shapes[into] = Handle(into)
            return [s.Create(into, actor, args)]
        handle = handles[self.pick(len(handles))]
        steps: list[Step] = []
        if self.limits.kills and self.pick(6) == 5:
            return [s.Kill(handle, no_restart=self.pick(2) == 0)]
        for _ in range(1 + self.pick(3)):
            args, given = self.arguments(shapes)
            returns = self.returns()
            method, shape = self.script(given, depth - 1, waits=False, returns=returns)
            into = self.name("c")
            steps += [s.Call(into, handle, method, args), *self.take_results(shapes, into, shape, returns)]
        return steps

    def lend(self, shapes: dict[str, Shape], depth: int) -> list[Step]:
        """Give a ref to an actor that keeps it, and have it give it back; in between nobody else may hold it.

        Drivers do that. A task which waits for a call may wait for ever: the calls of its worker stand behind those of
        the task before, which may wait for its result.
        """
        handles = [name for name, shape in shapes.items() if isinstance(shape, Handle)]
        refs = self.refs(shapes)
        if not handles or not refs:
            return []
        handle, name = handles[self.pick(len(handles))], refs[self.pick(len(refs))]
        self.count += 1
        slot = SLOTS + self.count
        kept, shape = self.name("c"), shapes[name]
        steps: list[Step] = [s.Call(kept, handle, Script(f"keep{slot}", [s.Keep("a0"), s.Return(1)]), [[slot, name]])]
        if not name.startswith("a") and self.pick(2):
            del shapes[name]
            steps.append(s.Drop(name))
        how = self.pick(3)
        if how == 2 or self.pick(2):  # calls of several callers are in no order
            steps.append(s.Get(self.name("v"), [kept]))
        if self.pick(2):
            steps += (self.work, self.put, self.submit)[self.pick(3)](shapes, depth - 1)
        got, again = self.name("v"), self.name("t")
        shapes[kept], shapes[again] = RefTo(0), shape
        return [*steps, *self.give_back(handle, slot, got, how), s.Pick(again, got), s.Drop(got)]

    def give_back(self, handle: str, slot: int, got: str, how: int) -> list[Step]:
        """``got`` is a list of what the actor kept, which it returns (0), yields (1), or returns to a task (2)."""
        name, back = f"back{slot}", self.name("c")
        recall: list[Step] = [s.Recall("kept", slot)]
        returns = Script(name, [*recall, s.Return("kept")])
        if how == 1:
            yields = Script(name, [*recall, s.Yield("kept"), s.Drop("kept"), s.Return(0)], returns=streaming(0))
            stream = self.name("s")
            steps: list[Step] = [s.Call(stream, handle, yields), s.Next(back, stream), s.Drop(stream)]
        elif how == 2:
            asks = Script(f"asks{slot}", [s.Call("c", "a0", returns), s.Get("v", ["c"]), s.Return("v")])
            steps = [s.Submit(back, asks, [handle])]
        else:
            steps = [s.Call(back, handle, returns)]
        return [*steps, s.Get(got, [back]), s.Drop(back)]
