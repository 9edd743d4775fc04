"""Placement groups to test the head with."""

from __future__ import annotations

from rustyray.model import ids
from rustyray.model.messages import (
    BundlesPrepared,
    CreateGroup,
    GroupInfo,
    GroupSpec,
    GroupState,
    Packing,
    PrepareBundles,
)
from rustyray.model.resources import resource_set
from tests.unit.core_head.world import DRIVER, NODES, World

JOB = b"\0\0\0\1"


def make_group(
    number: int = 1,
    *cpus: float,
    packing: Packing = Packing.STRICT_SPREAD,
    name: str = "",
    detached: bool = False,
    creator: bytes = b"",
) -> GroupSpec:
    bundles = [resource_set({"CPU": amount}) for amount in cpus or (1, 1)]
    id_ = ids.task_id(DRIVER, 1000 + number)
    return GroupSpec(id_, JOB, bundles, packing, [], name, "ns", detached, creator)


class Groups(World):
    """A head with three nodes, whose answers are given by hand."""

    def __init__(self, nodes: int = 3, cpus: float = 2) -> None:
        super().__init__(nodes, cpus)
        for node in NODES:
            self.take(node, GroupInfo)

    def make(self, spec: GroupSpec) -> bytes:
        self.requests += 1
        self.say(DRIVER, CreateGroup(self.requests, spec))
        return spec.group

    def asked(self) -> dict[bytes, PrepareBundles]:
        return {node: question for node in NODES for question in self.take(node, PrepareBundles)}

    def answer(self, node: bytes, question: PrepareBundles, reserved: bool = True, cpus: float = 0) -> None:
        free = resource_set({"CPU": cpus})
        self.say(node, BundlesPrepared(question.group, question.round, reserved, free))

    def created(self, spec: GroupSpec) -> bytes:
        group = self.make(spec)
        for node, question in self.asked().items():
            self.answer(node, question)
        assert self.state() is GroupState.CREATED
        return group

    def state(self, peer: bytes = DRIVER) -> GroupState | None:
        """The last that ``peer`` was told."""
        told = self.take(peer, GroupInfo)
        return told[-1].state if told else None

    def told(self, node: bytes) -> list[GroupState]:
        return [info.state for info in self.take(node, GroupInfo)]
