"""The interpreter of scripted programs: one frame per run of a script, on top of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rustyray.engines.sim.scripted import scripts
from rustyray.engines.sim.scripted.client import Client
from rustyray.engines.sim.scripted.process import ProgramError, name_of
from rustyray.engines.sim.scripted.scripts import Expr, Script, Step
from rustyray.engines.sim.scripted.values import Plain, Ref, refs_in, total
from rustyray.engines.sim.world.process import Program, Sleep
from rustyray.model.ids import STREAM_INDEX, GroupID
from rustyray.model.strategies import Strategy
from rustyray.model.values import Failed, Fault

if TYPE_CHECKING:
    from rustyray.engines.sim.scripted.world import ScriptedWorld


#: What a script raises that asks for an item when there is none.
OVER: Final = "boom"


class ScriptRaised(Exception):
    """A script raised, with ``value`` in its exception."""

    def __init__(self, text: str, value: Plain) -> None:
        super().__init__(text)
        self.value = value


class ActorExit(BaseException):
    """``exit_actor``: the call never returns."""


class Returned(Exception):
    """The script is done; not an error."""

    def __init__(self, value: Plain, big: bool) -> None:
        super().__init__()
        self.value = value
        self.big = big


class Frame:
    """The variables of one run. Everything in them is let go of by `leave`."""

    def __init__(self, client: Client, attempt: int = 0, kept: list[Plain] | None = None) -> None:
        self.client = client
        self.attempt = attempt
        self.kept = kept if kept is not None else []
        self.variables: dict[str, Plain] = {}
        self.groups: dict[str, GroupID] = {}

    @property
    def world(self) -> ScriptedWorld:
        return self.client.world

    def run(self, script: Script, args: list[Plain]) -> Program[Returned]:
        for number, value in enumerate(args):
            self.variables[f"a{number}"] = value
        for step in script.steps:
            yield Sleep(0)  # any other process may go first
            try:
                yield from self.do(step)
            except Returned as result:
                return result
        return Returned(0, False)

    def leave(self) -> None:
        """All refs in the variables are dropped."""
        variables, self.variables = self.variables, {}
        for value in variables.values():
            self._drop(value)

    def close_streams(self) -> None:
        """Nobody reads them any more, so that what makes them may end."""
        for name, value in list(self.variables.items()):
            refs = refs_in(value)
            if refs and refs[0].object.endswith(STREAM_INDEX):
                self._drop(self.variables.pop(name))

    def _drop(self, value: Plain) -> None:
        for ref in refs_in(value):
            self.client.drop(ref)

    def _set(self, name: str, value: Plain) -> None:
        old = self.variables.pop(name, None)
        if old is not None:
            self._drop(old)
        self.variables[name] = value

    def value(self, expr: Expr) -> Plain:
        if isinstance(expr, int):
            return expr
        if isinstance(expr, list):
            return [self.value(part) for part in expr]
        return self.variables[expr]

    def ref(self, name: str) -> Ref:
        ref = self.variables[name]
        assert isinstance(ref, Ref), f"{name} is {ref!r}, not a ref"
        return ref

    def handle(self, name: str) -> Ref:
        ref = self.ref(name)
        assert ref.actor, f"{name} is no actor handle"
        return ref

    def do(self, step: Step) -> Program[None]:
        client = self.client
        match step:
            case scripts.Work(seconds):
                yield Sleep(seconds)
            case scripts.Submit(into, script, args):
                plan = self.world.library.plan(client.me, script, self._where(step))
                refs = client.submit(plan, [self.value(arg) for arg in args])
                self._set(into, refs[0] if script.returns == 1 else list(refs))
            case scripts.Get(into, names, catch):
                yield from self._get(into, names, catch)
            case scripts.Wait(names, count):
                yield from client.wait([self.ref(name) for name in names], count)
            case scripts.Put(into, expr, big):
                self._set(into, (yield from client.put(self.value(expr), big)))
            case scripts.Add(into, exprs):
                self._set(into, sum(total(self.value(expr)) for expr in exprs))
            case scripts.Pick(into, name, number):
                ref = refs_in(self.variables[name])[number]
                self._set(into, client.again(ref))
            case scripts.Drop(name):
                self._drop(self.variables.pop(name))
            case scripts.Keep(name):
                self.kept.append(self.variables.pop(name))
            case scripts.Recall(into, slot):
                self._set(into, self.kept.pop(self._place(slot)))
            case scripts.Yield(expr, big):
                yield from client.yield_item(self.value(expr), big)
            case scripts.Next(into, name):
                item = yield from client.next_item(refs_in(self.variables[name])[0])
                if item is None:
                    raise ScriptRaised(OVER, 0)
                self._set(into, item)
            case scripts.Raise(text, expr):
                raise ScriptRaised(text, self.value(expr))
            case scripts.Return(expr, big):
                raise Returned(self.value(expr), big)
            case scripts.Crash(until):
                if self.attempt < until:
                    self.world.crash(client.me, "it was killed by signal 11 (SIGSEGV)")
                    yield Sleep(0)
            case _:
                yield from self._actor_step(step)

    def _place(self, slot: int) -> int:
        """Where in what is kept the list with this number is; without one, the last place."""
        if not slot:
            return -1
        for place, value in reversed(list(enumerate(self.kept))):
            if isinstance(value, list) and value[:1] == [slot]:
                return place
        raise ScriptRaised(OVER, 0)

    def _actor_step(self, step: Step) -> Program[None]:
        client = self.client
        match step:
            case scripts.Create(into, actor, args):
                plan = self.world.library.actor_plan(actor, self._where(step))
                created = yield from client.create_actor(plan, [self.value(arg) for arg in args])
                if created is not None:
                    self.world.task_retries.setdefault(created.actor, actor.max_task_retries)
                self._set(into, created if created is not None else -1)
            case scripts.Call(into, name, method, args):
                handle = self.handle(name)
                retries = self.world.task_retries.get(handle.actor, 0)
                called = self.world.library.method_plan(method)
                refs = client.call(handle, retries, called, [self.value(arg) for arg in args])
                self._set(into, refs[0] if method.returns == 1 else list(refs))
            case scripts.Cancel(name, force):
                client.cancel(refs_in(self.variables[name])[-1], force)
            case scripts.Kill(name, no_restart):
                self.world.books.may_dangle = True  # its calls are given up, with their arguments, while they still run
                client.kill_actor(self.handle(name), no_restart)
            case scripts.Find(into, name):
                found = yield from client.find_actor(name)
                self._set(into, found if found is not None else -1)
            case scripts.ExitActor():
                raise ActorExit
            case _:
                yield from self._group_step(step)

    def _group_step(self, step: Step) -> Program[None]:
        client = self.client
        match step:
            case scripts.MakeGroup(into, cpus, packing):
                self.groups[into] = yield from client.create_group(cpus, packing)
            case scripts.ReadyGroup(into, group):
                self._set(into, client.group_ready(self.groups[group]))
            case scripts.RemoveGroup(group):
                yield from client.remove_group(self.groups[group])
            case _:
                raise TypeError(f"{step!r} is no step")

    def _where(self, step: scripts.Submit | scripts.Create) -> Strategy | None:
        return Strategy(group=self.groups[step.group], bundle=step.bundle) if step.group else None

    def _get(self, into: str, names: list[str], catch: bool) -> Program[None]:
        try:
            found = yield from self.client.get([self.ref(name) for name in names])
        except ProgramError as error:
            self.world.note_error(error.value)
            if not catch:
                raise
            self._set(into, name_of(error.value))
            return
        self._set(into, found)


def as_failed(error: BaseException, script: Script, where: Client, task: bytes, attempt: int) -> Failed | Fault:
    """What the caller gets to know of an exception in a script."""
    text = name_of(error.value) if isinstance(error, ProgramError) else str(error)
    return Failed(text.encode(), script.name, "", task, attempt=attempt, worker=where.me, node=where.node)
