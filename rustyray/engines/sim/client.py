"""The client that all engines share, in a simulation: in drivers and workers, with objects in ordinary memory."""

from __future__ import annotations

import array
import weakref
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final

from rustyray.engines.client.client import Client
from rustyray.engines.client.layout import parts_of, read_from
from rustyray.engines.client.store import Store
from rustyray.exceptions import SimulationError
from rustyray.model.plans import ActorPlan, MethodPlan
from rustyray.model.values import Fault, FaultKind
from rustyray.runtime.engine import ActorHandleState, ProcessContext
from rustyray.runtime.serialization import Serialized

if TYPE_CHECKING:
    from concurrent.futures import Future

    from rustyray.engines.sim.host import UserProcess
    from rustyray.engines.sim.simulation import Simulation
    from rustyray.runtime.engine import Returned
    from rustyray.runtime.ref import ObjectRef

#: In which runtime a handle was made, of those without a ref.
_made_in: Final[weakref.WeakKeyDictionary[ActorHandleState, weakref.ref[Simulation]]] = weakref.WeakKeyDictionary()


class MemoryArena:
    """A node's arena: the bytes of each extent, by its offset. Readers get a copy that they cannot write to."""

    def __init__(self, extents: dict[int, bytes]) -> None:
        self._extents = extents

    def write(self, offset: int, serialized: Serialized, touched: bool = False) -> int:
        written = self._extents[offset] = b"".join(parts_of(serialized))
        return len(written)

    def read(self, offset: int, size: int, on_release: Callable[[], None]) -> Any:
        exporter = array.array("B", self._extents[offset])
        weakref.finalize(exporter, on_release).atexit = False
        return read_from(memoryview(exporter).toreadonly(), offset)


def store_of(simulation: Simulation, process: UserProcess) -> Store:
    return Store(MemoryArena(simulation.world.arena(process.node)), process.node, process)


class SimClient(Client):
    """Refs of an earlier runtime have the ids of this one's: they must not be taken for them. What is looked
    at is noted."""

    simulation: Simulation

    def check_packages(self) -> None:
        raise ValueError(
            "a simulated runtime is one process, which has one directory and one sys.path: working_dir and py_modules "
            "cannot differ between its workers. Leave them out there"
        )

    def _check_known(self, refs: Sequence[ObjectRef[Any]]) -> None:
        for ref in refs:
            if ref._drop is not self._drop:
                text = f"object {ref.hex()} is not known here: its runtime has ended"
                raise self._error(ref._id, Fault(FaultKind.OBJECT_LOST, text))

    def _check_session(self, handle: ActorHandleState) -> None:
        made_in = _made_in.get(handle)
        foreign = made_in is not None and made_in() is not self.simulation
        if foreign or (handle.ref is not None and handle.ref._drop is not self._drop):
            raise ValueError("this is a handle from an earlier runtime of this program: the actor's runtime has ended")

    def call(
        self, handle: ActorHandleState, method: MethodPlan, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Returned:
        self._check_session(handle)  # an actor of this runtime may have its id
        return super().call(handle, method, args, kwargs)

    def _made_here(self, handle: ActorHandleState) -> ActorHandleState:
        """Notes handles that no ref tells apart from those of an earlier runtime."""
        if handle.ref is None:
            _made_in[handle] = weakref.ref(self.simulation)
        return handle

    def create_actor(self, plan: ActorPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActorHandleState:
        return self._made_here(super().create_actor(plan, args, kwargs))

    def find_actor(self, name: str, namespace: str | None) -> ActorHandleState:
        return self._made_here(super().find_actor(name, namespace))

    def adopt_handle(
        self, actor: bytes, owner_address: str, meta: bytes, max_task_retries: int, counted: bool
    ) -> ActorHandleState:
        return self._made_here(super().adopt_handle(actor, owner_address, meta, max_task_retries, counted))

    def _check_ours(self, refs: Sequence[ObjectRef[Any]]) -> None:
        if refs:
            super()._check_ours(refs)
            self.simulation.errors.see(refs)

    def get(self, refs: Sequence[ObjectRef[Any]], timeout: float | None) -> list[Any]:
        self._check_known(refs)
        self.simulation.errors.see(refs)
        return super().get(refs, timeout)

    def wait(
        self, refs: Sequence[ObjectRef[Any]], num_returns: int, timeout: float | None, fetch_local: bool
    ) -> tuple[list[ObjectRef[Any]], list[ObjectRef[Any]]]:
        self._check_known(refs)
        return super().wait(refs, num_returns, timeout, fetch_local)

    def await_ref(self, ref: ObjectRef[Any]) -> Generator[Any, None, Any]:
        import asyncio

        from rustyray.engines.sim.stdlib.loop import SimLoop

        loop = asyncio.get_running_loop()
        if not isinstance(loop, SimLoop) or loop.simulation is not self.simulation:
            raise SimulationError(
                "this event loop was made before the simulated runtime was up, and does not see what happens in it: "
                "make it afterwards, as asyncio.run() does"
            )
        self.simulation.errors.see([ref])
        return super().await_ref(ref)

    def future(self, ref: ObjectRef[Any]) -> Future[Any]:
        self.simulation.errors.see([ref])
        return super().future(ref)

    def cancel(self, ref: ObjectRef[Any], force: bool, recursive: bool) -> None:
        self.simulation.errors.see([ref])
        super().cancel(ref, force, recursive)


def context_of(process: UserProcess) -> ProcessContext:
    core = process.core
    job = core.sched.requests.job
    here, is_driver, head = process.address, not process.executes, process.world.head_address
    temporary = process.simulation.settings.spill_directory or ""
    where = process.node, process.me, process.namespace, here, is_driver
    return ProcessContext(job, *where, "/simulated/session", head, temporary)
