"""The part of the engine that makes, finds and removes placement groups, and has tasks follow others into theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from rustyray.engines.client.cluster_client import HEAD_AWAY, ClusterClient
from rustyray.model.bundles import hold
from rustyray.model.messages import (
    CreateGroup,
    FindGroup,
    GroupInfo,
    GroupList,
    GroupSpec,
    HeadError,
    ListGroups,
    Message,
    Packing,
    RemoveGroup,
)
from rustyray.model.plans import ActorPlan, TaskPlan
from rustyray.model.resources import ResourceSet, as_amounts
from rustyray.model.strategies import LabelMatch, Strategy
from rustyray.runtime import context
from rustyray.runtime.ref import ObjectRef
from rustyray.runtime.serialization import Serialized, pack, to_value

if TYPE_CHECKING:
    from rustyray.core.owner import OwnerCore
    from rustyray.engines.client.ports import Pump
    from rustyray.engines.client.store import Store
    from rustyray.runtime.engine import ProcessContext

AnyPlan = TypeVar("AnyPlan", TaskPlan, ActorPlan)


class GroupClient(ClusterClient):
    """As `ClusterClient`, for groups."""

    def __init__(self, core: OwnerCore, pump: Pump, store: Store, process: ProcessContext) -> None:
        super().__init__(core, pump, store, process)
        #: The bundles of groups that tasks here have followed others into.
        self._bundles: dict[bytes, list[ResourceSet]] = {}

    def create_group(
        self,
        bundles: Sequence[ResourceSet],
        packing: str,
        name: str,
        detached: bool,
        labels: Sequence[tuple[LabelMatch, ...]],
    ) -> bytes:
        task = context.current_task.get()
        with self.pump.lock:
            if self.core.closed:
                raise RuntimeError(self.core.closed)
            group, job = self.core.next_task(), self.core.sched.requests.job
        spec = GroupSpec(
            group,
            job,
            list(bundles),
            Packing(packing),
            list(labels),
            name,
            self._process.namespace,
            detached,
            task.actor if task is not None else b"",
        )
        self._group(self._ask_head(lambda number: CreateGroup(number, spec)))
        return group

    def remove_group(self, group: bytes) -> None:
        """Return when the head knows it."""
        self._ask_head(lambda number: RemoveGroup(number, group))  # one that nobody knows is gone already

    def find_group(self, group: bytes, name: str) -> GroupInfo:
        namespace = self._process.namespace
        return self._group(self._ask_head(lambda number: FindGroup(number, group, name, namespace)))

    def list_groups(self, timeout: float | None = None) -> list[GroupInfo]:
        reply = self._ask_head(ListGroups, HEAD_AWAY if timeout is None else timeout)
        return reply.groups if isinstance(reply, GroupList) else []

    @staticmethod
    def _group(reply: Message) -> GroupInfo:
        if isinstance(reply, HeadError):
            raise ValueError(reply.message)
        if not isinstance(reply, GroupInfo):
            raise TypeError(f"the head answered {type(reply).__name__} about a placement group")
        return reply

    def group_ready(self, group: bytes, handle: Any) -> ObjectRef[Any]:
        packed = pack(handle)
        value = to_value(packed) if isinstance(packed, Serialized) else packed
        with self.pump.lock:
            object_ = self.core.group_ready(group, value)
            self.pump.carry_out()
        return ObjectRef(object_, self.address, self._drop)

    def _following(self, plan: AnyPlan, strategy: Strategy) -> AnyPlan:
        """The plan for a task or actor that its parent, which runs under ``strategy``, takes along into its group."""
        known = plan.following.get(strategy)
        if known is not None:
            return known
        bundles = self._bundles.get(strategy.group)
        if bundles is None:
            bundles = self._bundles[strategy.group] = self.find_group(strategy.group, "").spec.bundles
        if not hold(bundles, -1, plan.resources):
            raise ValueError(
                f"Cannot schedule {plan.called} with the placement group of the task that submits it, because the "
                f"resource request {as_amounts(plan.resources)} cannot fit into any bundles for the placement group, "
                f"{[as_amounts(bundle) for bundle in bundles]}. Write scheduling_strategy='DEFAULT' to run it outside."
            )
        plan.following[strategy] = known = plan.following_into(Strategy(group=strategy.group, capture=True))
        return known
