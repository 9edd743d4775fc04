"""A driver: it joins its node, runs its script once, and stays until it is let go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustyray.engines.sim.scripted.client import Client
from rustyray.engines.sim.scripted.process import ProgramError, name_of
from rustyray.engines.sim.scripted.running import Frame, ScriptRaised
from rustyray.engines.sim.scripted.scripts import Script
from rustyray.engines.sim.scripted.values import Plain
from rustyray.engines.sim.world.process import Program, Until
from rustyray.engines.sim.world.story import short
from rustyray.model.ids import NodeID, WorkerID
from rustyray.model.messages import HeadEnds, Message, NodeEnds, RegisterDriver, Registered

if TYPE_CHECKING:
    from rustyray.engines.sim.scripted.world import ScriptedWorld


class Driver(Client):
    """``outcome`` is what the script returned, or the text of the error that ended it."""

    def __init__(self, world: ScriptedWorld, me: WorkerID, node: NodeID, namespace: str, script: Script) -> None:
        super().__init__(world, me, node, b"", namespace)
        self.script = script
        self.waits = f"driver {short(me)} waits"
        self.done = False
        self.outcome: Plain = ""
        self.frame = Frame(self, kept=self.kept)
        self._registered = Until()
        self._handlers[Registered] = self._on_registered
        self._handlers[NodeEnds] = self._handlers[HeadEnds] = self._on_end

    def _on_registered(self, peer: bytes, message: Message, now: float) -> None:
        assert isinstance(message, Registered)
        self.core.sched.requests.job = message.job
        self.namespace = message.namespace
        for host in self.world.nodes():  # the workers' job is that of the first driver
            host.job, host.namespace = host.job or message.job, host.namespace or message.namespace
        self._registered.done = True

    def _on_end(self, peer: bytes, message: Message, now: float) -> None:
        assert isinstance(message, NodeEnds | HeadEnds)
        self.warnings.append(message.reason)

    def main(self) -> Program[None]:
        self.send(self.node, RegisterDriver(1, self.namespace), self.world.node(self.node).address)
        yield self._registered
        try:
            result = yield from self.frame.run(self.script, [])
            self.outcome = result.value
        except ProgramError as error:
            self.outcome = name_of(error.value)
        except ScriptRaised as error:
            self.outcome = str(error)
        finally:
            self.done = True
            self.frame.close_streams()
            self.flush()

    def let_go(self) -> None:
        self.kept.extend(self.frame.variables.values())
        self.frame.variables.clear()
        super().let_go()
