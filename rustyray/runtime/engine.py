"""The one door between the API and whatever runs the program: native processes, the simulator, or a real Ray."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from concurrent.futures import Future

    from rustyray.model.events import Query
    from rustyray.model.messages import EntryAction, GroupInfo, Report
    from rustyray.model.plans import ActorPlan, MethodPlan, TaskPlan
    from rustyray.model.resources import ResourceSet
    from rustyray.model.settings import Settings
    from rustyray.model.strategies import LabelMatch
    from rustyray.runtime.generator import ObjectRefGenerator
    from rustyray.runtime.ref import ObjectRef

    #: What a task or call returns at once.
    Returned: TypeAlias = ObjectRef[Any] | list[ObjectRef[Any]] | ObjectRefGenerator[Any] | None


class HeadAway(RuntimeError):
    """The head, which may be started again, has not answered in time."""


class ActorHandleState:
    """What an engine knows behind an actor handle.

    ``ref`` counts the handle: it is an object whose references are the handles. None for handles that do not keep the
    actor alive (from `get_actor`, or inside the actor itself).
    """

    __slots__ = ("__weakref__", "actor", "max_task_retries", "meta", "owner_address", "ref")

    def __init__(
        self, actor: bytes, owner_address: str, meta: bytes, max_task_retries: int, ref: ObjectRef[Any] | None
    ) -> None:
        self.actor = actor
        self.owner_address = owner_address
        self.meta = meta
        self.max_task_retries = max_task_retries
        self.ref = ref


class ProcessContext:
    """Where this process stands: ids as bytes, addresses as text; ``head`` is the head's.

    Temporary files go to ``temp_dir``; empty: to the system's own directory for them.
    """

    __slots__ = ("address", "head", "is_driver", "job", "namespace", "node", "session_dir", "temp_dir", "worker")

    def __init__(
        self,
        job: bytes,
        node: bytes,
        worker: bytes,
        namespace: str,
        address: str,
        is_driver: bool,
        session_dir: str,
        head: str = "",
        temp_dir: str = "",
    ) -> None:
        self.head = head or address
        self.temp_dir = temp_dir
        self.job = job
        self.node = node
        self.worker = worker
        self.namespace = namespace
        self.address = address
        self.is_driver = is_driver
        self.session_dir = session_dir


class Inspection:
    """What the processes tell about themselves, and which of them (by role and id) did not answer.

    Times in ``reports`` are as the processes tell them; see `timed`.
    """

    __slots__ = ("_shifts", "reports", "silent")

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.silent: list[tuple[str, bytes]] = []
        self._shifts: list[float] = []

    def add(self, report: Report, asked: float, now: float, epoch: float) -> None:
        """A report that was asked for at ``asked`` and came ``now``; ``epoch`` makes these seconds since the epoch.

        A process on another machine has another clock: what it calls now was about in the middle.
        """
        self.reports.append(report)
        same = asked <= report.now <= now
        self._shifts.append(epoch + (0.0 if same else (asked + now) / 2 - report.now))

    def named(self) -> list[str]:
        """Who did not answer, for people."""
        return [f"{role} {process.hex()}".rstrip() for role, process in self.silent]

    def timed(self) -> Iterator[tuple[Report, float]]:
        """Each report, and what to add to the times in it to have seconds since the epoch."""
        return zip(self.reports, self._shifts, strict=True)


class ShutdownReport:
    """How a shutdown went: one `(stage, seconds, note)` a line, and what had to be forced."""

    __slots__ = ("forced", "stages")

    def __init__(self, stages: list[tuple[str, float, str]], forced: list[str]) -> None:
        self.stages = stages
        self.forced = forced

    def __str__(self) -> str:
        lines = [f"{stage:<22} {1000 * seconds:8.1f} ms  {note}".rstrip() for stage, seconds, note in self.stages]
        return "\n".join(lines + [f"forced: {what}" for what in self.forced])


class MemoryPressure(NamedTuple):
    """How full the object store of a node is: ``used`` of ``capacity`` bytes, when it passed ``fraction``."""

    used: int
    capacity: int
    fraction: float


class Engine(Protocol):
    """What every engine does. Methods are safe from any thread; ids are bytes; times are seconds."""

    def submit(self, plan: TaskPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Returned:
        """Submit a task: one ref, a list for several returns, None for none, a generator for a stream of items."""

    def create_actor(self, plan: ActorPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActorHandleState:
        """Create an actor (or find it, with ``get_if_exists``). Raises ValueError when its name is taken."""

    def call(
        self, handle: ActorHandleState, method: MethodPlan, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Returned:
        """Call a method of an actor; calls through one process run in order."""

    def find_actor(self, name: str, namespace: str | None) -> ActorHandleState:
        """Raises ValueError when no living actor has the name."""

    def named_actors(self, all_namespaces: bool) -> list[tuple[str, str]]:
        """`(namespace, name)` of the living named actors."""

    def kill_actor(self, handle: ActorHandleState, no_restart: bool) -> None: ...

    def set_environment(self, given: Mapping[str, Any]) -> None:
        """What this process submits from now on has this runtime environment, unless it says otherwise."""

    def environment(self) -> dict[str, Any]:
        """The runtime environment of this process."""

    def exit_actor(self) -> None:
        """End the actor that runs the calling method; raises TypeError outside an actor. Does not return."""

    def adopt_handle(
        self, actor: bytes, owner_address: str, meta: bytes, max_task_retries: int, counted: bool
    ) -> ActorHandleState:
        """A handle that came out of a pickle."""

    def get(self, refs: Sequence[ObjectRef[Any]], timeout: float | None) -> list[Any]:
        """The values, in order. Raises the first error found, `GetTimeoutError` after ``timeout`` seconds."""

    def put(self, value: Any) -> ObjectRef[Any]: ...

    def wait(
        self, refs: Sequence[ObjectRef[Any]], num_returns: int, timeout: float | None, fetch_local: bool
    ) -> tuple[list[ObjectRef[Any]], list[ObjectRef[Any]]]:
        """`(ready, not ready)`, both in the order given; arguments are checked already."""

    def cancel(self, ref: ObjectRef[Any], force: bool, recursive: bool) -> None: ...

    def future(self, ref: ObjectRef[Any]) -> Future[Any]: ...

    def await_ref(self, ref: ObjectRef[Any]) -> Generator[Any, None, Any]: ...

    def adopt(self, object_id: bytes, owner_address: str) -> ObjectRef[Any]:
        """A ref that came out of a pickle: count it here."""

    def pin_forever(self, ref: ObjectRef[Any]) -> None:
        """Keep the object until the runtime ends: somebody pickled the ref on their own."""

    def process(self) -> ProcessContext: ...

    def create_group(
        self,
        bundles: Sequence[ResourceSet],
        packing: str,
        name: str,
        detached: bool,
        labels: Sequence[tuple[LabelMatch, ...]],
    ) -> bytes:
        """Have a placement group made, and return its id before it is. Raises ValueError when its name is taken."""

    def remove_group(self, group: bytes) -> None: ...

    def find_group(self, group: bytes, name: str) -> GroupInfo:
        """A placement group by its id, or a living one by its name. Raises ValueError when there is none."""

    def list_groups(self, timeout: float | None = None) -> list[GroupInfo]:
        """All placement groups there are, and those that were removed last.

        Raises `HeadAway` if the head does not answer within so many seconds (None: about a minute).
        """

    def group_ready(self, group: bytes, handle: Any) -> ObjectRef[Any]:
        """A ref to ``handle``, which has its value when the group is created."""

    def nodes(self) -> list[Mapping[str, Any]]:
        """One mapping per node, with Ray's keys (``NodeID``, ``Alive``, ``Resources``, …)."""

    def cluster_resources(self) -> dict[str, float]: ...

    def available_resources(self) -> dict[str, float]: ...

    def entry(self, action: EntryAction, namespace: bytes, key: bytes, value: bytes) -> tuple[int, list[bytes]]:
        """Read or change what the head keeps for programs: how many entries there were, and keys or the value."""

    def inspect(self, query: Query, timeout: float) -> Inspection:
        """What every process tells about itself; after ``timeout`` seconds, without those that did not answer."""

    def add_node(self, settings: Settings) -> bytes:
        """Start another node with these resources, labels and store, and return its id when it can be used.

        Raises RuntimeError when that fails, or for all but native drivers.
        """

    def remove_node(self, node: bytes, graceful: bool) -> None:
        """End a node; returns when it is gone, and the head knows. Raises RuntimeError as `add_node`."""

    def kill_node(self, node: bytes) -> None:
        """Kill a node with its workers; returns when it is gone. Raises RuntimeError as `add_node`."""

    def pause_node(self, node: bytes) -> None:
        """Stop a node and its workers where they are, until `resume_node`. Raises RuntimeError as `add_node`."""

    def resume_node(self, node: bytes) -> None:
        """Let a node go on that was paused."""

    def keep_apart(self, pairs: frozenset[frozenset[bytes]]) -> None:
        """From now on the two nodes of each of these pairs, and of no others, exchange nothing; the driver reaches all.

        What they send each other waits. Raises RuntimeError when the runtime was not started so that this can be.
        """

    def cut_connections(self, one: bytes, other: bytes) -> None:
        """End the connections between two nodes and their workers, once; raises as `keep_apart`."""

    def on_memory_pressure(self, callback: Callable[[MemoryPressure], object], fraction: float) -> Callable[[], None]:
        """Call ``callback`` when the node's store is filled to ``fraction``; returns what takes that back."""

    def shutdown(self, grace: float | None = None) -> ShutdownReport:
        """Stop everything; safe from many threads at once, returns when it is done."""
