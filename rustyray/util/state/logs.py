"""``get_log`` and ``list_logs``: what programs have written that were submitted. Of workers nothing is kept."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from rustyray.runtime import addresses, context

if TYPE_CHECKING:
    from rustyray.engines.native.standing.everywhere import Everywhere

#: What a program's log is called, before and after its name (as in Ray).
_BEFORE: Final = "job-driver-"
_AFTER: Final = ".log"
_NOT_KEPT: Final = "workers write to their driver's output, and nothing keeps it; submission_id=… names a program"


def get_log(
    address: str | None = None,
    node_id: str | None = None,
    node_ip: str | None = None,
    filename: str | None = None,
    *,
    submission_id: str | None = None,
    follow: bool = False,
    tail: int = -1,
    **of: Any,
) -> Iterator[str]:
    """What a program has written, in pieces (as in Ray).

    Args:
        address: of the cluster, if it is not the only one on this machine.
        node_id, node_ip: of no effect: the program is found wherever it runs.
        filename: one of those that `list_logs` tells, instead of ``submission_id``.
        submission_id: the program's name, as `rustyray.job_submission` has it.
        follow: go on until it is over.
        tail: only the last so many lines that are there at first; -1: all.
        of: Ray's others, which name a worker's file and are refused.

    Raises:
        ValueError: It is not a program's.
        RuntimeError: There is no such program.
    """
    if submission_id is None and filename is not None and filename.startswith(_BEFORE) and filename.endswith(_AFTER):
        submission_id = filename.removeprefix(_BEFORE).removesuffix(_AFTER)
    if submission_id is None:
        raise ValueError(f"get_log(): {_NOT_KEPT}")
    return _pieces(_everywhere(address), submission_id, follow, tail)


def list_logs(
    address: str | None = None,
    node_id: str | None = None,
    node_ip: str | None = None,
    glob_filter: str | None = None,
    timeout: float = 30,
) -> dict[str, list[str]]:
    """The log files that are kept (as in Ray, which has those of programs under "internal").

    Args:
        address: of the cluster, if it is not the only one on this machine.
        node_id: only those that this node tells of; programs of one machine are told of by one of its nodes.
        node_ip: of no effect.
        glob_filter: only files whose names fit this pattern.
        timeout: of no effect.

    Raises:
        ConnectionError: There is no such cluster.
    """
    try:
        jobs = _everywhere(address).all()
    except ConnectionError:
        if address is not None or context.own_engine() is None:
            raise
        return {}  # this program's own runtime, to which none are submitted
    names = [f"{_BEFORE}{job.submission_id}{_AFTER}" for job in jobs if node_id in (None, job.node)]
    names = [name for name in names if fnmatch.fnmatch(name, glob_filter or "*")]
    return {"internal": names} if names else {}


def _everywhere(address: str | None) -> Everywhere:
    from rustyray.engines.native.standing.everywhere import Everywhere
    from rustyray.engines.native.standing.places import find

    return Everywhere(find(address or addresses.of_environment() or "auto"))


def _pieces(jobs: Everywhere, name: str, follow: bool, tail: int) -> Iterator[str]:
    text = jobs.output(name)
    if tail >= 0:
        yield "".join(text.splitlines(keepends=True)[len(text.splitlines()) - tail :] if tail else [])
    else:
        yield text
    seen = len(text)
    for piece in jobs.follow(name) if follow else ():
        yield piece[seen:] if seen < len(piece) else ""
        seen = max(0, seen - len(piece))
