"""What the head and the nodes of a cluster answer to who has no runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rustyray.core.node.leaving import HEAD_ENDS, HEAD_IS_BACK
from rustyray.engines.native.standing.caller import Caller, Refused
from rustyray.engines.native.standing.places import Place
from rustyray.model.events import Query
from rustyray.model.messages import ClusterDescription, DescribeCluster, Inspect, Inspected, NodeInfo

if TYPE_CHECKING:
    from rustyray.engines.native.standing.places import ClusterFile

#: So many of a node's last faults are looked through.
FAULTS: Final = 1000


def describe(cluster: ClusterFile) -> list[NodeInfo] | None:
    """The nodes of the cluster, dead ones too; None when its head cannot be reached."""
    try:
        with Caller(cluster, cluster.head_address, cluster.head_bytes) as head:
            answer, _ = head.ask(DescribeCluster(1))
    except ConnectionError:
        return None
    return answer.nodes if isinstance(answer, ClusterDescription) else None


def silence(cluster: ClusterFile) -> str:
    """That the head cannot be reached, and what to do: as it has told this machine's nodes, if it could."""
    if why := _last_words(cluster):
        return why
    if _refuses(cluster):
        return (
            f"whoever listens at {cluster.address} has another key, or other certificates for TLS, than those that are "
            "used here: are the key file and the certificates that cluster's, and has the cluster not been started "
            "anew since they were copied?"
        )
    silent = f"the head of the cluster at {cluster.address} does not answer"
    if cluster.program:
        return f"{silent}: it ends with the cluster's first node, and with its program"
    return (
        f"{silent}: start another one in its place if it has a store "
        "('rustyray start --head --store=…'), or end the cluster ('rustyray stop')"
    )


def _refuses(cluster: ClusterFile) -> bool:
    try:
        Caller(cluster, cluster.head_address, cluster.head_bytes).close()
    except Refused:
        return True
    except ConnectionError:
        pass  # as is said already
    return False


def _last_words(cluster: ClusterFile) -> str:
    for process in Place.named(cluster.session).processes():
        if not process.node:
            continue
        try:
            with Caller(cluster, process.address, bytes.fromhex(process.node)) as node:
                answer, _ = node.ask(Inspect(1, Query(events=FAULTS, kinds=("fault",)), patience=0.0))
        except ConnectionError:
            continue  # it ends at this moment
        events = answer.reports[0].events if isinstance(answer, Inspected) else []
        told = [event for event in events if event.what in (HEAD_ENDS, HEAD_IS_BACK)]
        if told:
            return told[-1].cause
    return ""
