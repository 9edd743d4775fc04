"""Claims that wait here, and may be better off on another node; and those that no node can ever serve."""

from __future__ import annotations

from rustyray.core.node.accounts import Accounts
from rustyray.core.node.base import NodeBase
from rustyray.core.node.claims import Claim, ClaimQueue, ClaimState
from rustyray.core.node.cluster import Cluster
from rustyray.model.messages import LeaseElsewhere, LeaseWaits
from rustyray.model.resources import describe, fits


class Elsewhere:
    """What the rest of the cluster can do for a claim, as far as is known here."""

    __slots__ = ("_accounts", "_base", "_cluster", "_queue")

    def __init__(self, base: NodeBase, accounts: Accounts, queue: ClaimQueue, cluster: Cluster) -> None:
        self._base = base
        self._accounts = accounts
        self._queue = queue
        self._cluster = cluster

    def send(self, claim: Claim) -> bool:
        """Answer with another node if it has room now and this one has not, or if only it could ever serve."""
        if claim.hops is None or claim.hops >= self._base.limits.max_hops or claim.given is not None:
            return False
        if self._accounts.fits_now(claim.need) and not self._queue.count:
            return False
        other = self._cluster.elsewhere(claim.need, claim.feasible, claim.strategy)
        if other is None:
            return False
        self._base.send(claim.client, LeaseElsewhere(claim.request, other.node, other.address))
        return True

    def has_room(self, claim: Claim) -> bool:
        """Whether an actor's claim waits for resources that another node has."""
        if claim.state is not ClaimState.QUEUED or claim.hops is None or fits(claim.need, self._accounts.free):
            return False  # GPUs in pieces are no reason to go: others may have them in pieces, too
        return self._cluster.elsewhere(claim.need, True, claim.strategy) is not None

    def warn(self, claim: Claim) -> None:
        """Say once that no node can ever serve it."""
        if claim.warned or claim.given is not None:
            return
        claim.warned = True
        reason = (
            f"no node can ever give a worker with {describe(claim.need)}: "
            f"{self._cluster.describe(self._accounts.own())}; the request waits until a node that has it joins"
        )
        self._base.send(claim.client, LeaseWaits(claim.request, reason))
