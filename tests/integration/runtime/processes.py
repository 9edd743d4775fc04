"""What a runtime consists of, seen from outside: its processes, sockets and shared memory, while there are any."""

from __future__ import annotations

import os
from pathlib import Path

import rustyray
from rustyray.engines.native.processes.zygote import Zygote


def session_of(session: rustyray.Session) -> str:
    """The session's part of every socket's name."""
    return str(session.address_info["address"]).split("-")[1]


def sockets(session: str) -> list[str]:
    """The abstract sockets of a session that somebody still has open."""
    return [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if session in line]


def children(pid: int) -> list[int]:
    """The processes that ``pid`` has forked and that have not been waited for."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and parent_of(int(entry)) == pid]


def parent_of(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def descendants(pid: int) -> list[int]:
    found = children(pid)
    for child in list(found):
        found += descendants(child)
    return found


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not), be it a simulated one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _is_simulated(pid)
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def _is_simulated(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def node_pid() -> int:
    """The node process of the runtime that is up."""
    (node,) = rustyray.nodes()
    return int(node["Pid"])


def nodes_left() -> list[int]:
    """What the zygote of this process has forked and still runs."""
    return [pid for pid in descendants(Zygote.shared().pid()) if alive(pid)]


def descriptors() -> dict[str, str]:
    """What this process has open."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue  # the listing's own
    return found


def threads() -> list[str]:
    return os.listdir("/proc/self/task")
