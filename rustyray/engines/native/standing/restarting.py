"""A node that the head has refused: its process becomes that of another one.

The process runs a fresh interpreter (`exec`), so that the kernel frees whatever the node had: memory, connections,
files. It keeps its number, its parent and its session: to whoever waits for it, looks after it or kills it, it is the
same process. What it needs to know goes along in a file that has no name, because the cluster's key is in it.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import tempfile
import time
import traceback
from typing import Final, NoReturn

import msgspec

from rustyray.core.effects import StartAgain
from rustyray.engines.native.network.address import default_address, format_address
from rustyray.engines.native.processes import kernel
from rustyray.engines.native.processes.boot import NodeBoot
from rustyray.engines.native.processes.spawn import interpreter_flags
from rustyray.engines.native.processes.surroundings import tell
from rustyray.engines.native.processes.worker_processes import BUG, exit_now
from rustyray.engines.native.processes.zygote_main import FOR_WORKERS
from rustyray.engines.native.standing import daemon, jobs
from rustyray.engines.native.standing.places import Place

_BOOTSTRAP: Final = (
    "import sys; fd = int(sys.argv[1]); sys.path[:] = sys.argv[2:]; "
    "from rustyray.engines.native.standing.restarting import main; main(fd)"
)


class Successor(msgspec.Struct):
    """What the next program has to know: the refused node's ``boot``, how long it is to wait, and its children."""

    boot: NodeBoot
    pause: float
    supervisors: list[int]


def become_another(boot: NodeBoot, again: StartAgain) -> NoReturn:
    """Run the program of the next node in this process; the one before has ended. Raises OSError if that fails."""
    if not sys.executable:
        raise FileNotFoundError("no node can take this one's place: sys.executable, which would run it, is empty")
    told = Successor(msgspec.structs.replace(boot, refusals=again.refusals), again.pause, jobs.supervisors())
    with tempfile.TemporaryFile(dir=boot.session_dir) as file:
        file.write(msgspec.msgpack.encode(told))
        file.flush()
        file.seek(0)
        os.set_inheritable(file.fileno(), True)
        command = [sys.executable, *interpreter_flags(), "-c", _BOOTSTRAP, str(file.fileno()), *sys.path]
        os.execv(sys.executable, command)


def main(fd: int) -> NoReturn:
    """The next program: wait, then be a node; see `become_another`."""
    code = BUG
    try:
        kernel.set_name("rr-node")
        with open(fd, "rb") as file:
            told = msgspec.msgpack.decode(file.read(), type=Successor)
        kernel.close_all_fds_except({0, 1, 2})
        if told.boot.tied:
            kernel.set_parent_death_signal(signal.SIGKILL, told.boot.tied)
        jobs.adopt(told.supervisors)
        time.sleep(told.pause)
        _be_node(told.boot)
        code = 0
    except BaseException:  # noqa: BLE001 - the process ends here and says so
        tell(f"no node takes the place of the one that was refused (pid {os.getpid()}):\n{traceback.format_exc()}")
    finally:
        exit_now(code)


def _be_node(before: NodeBoot) -> None:
    """Returns only if there is no cluster any more."""
    from rustyray.engines.native.standing.starting import furnish, run_node

    place = Place(before.session_dir)
    mine = [process for process in place.processes() if process.pid == os.getpid()]
    if not mine:
        tell("no other node is started: the cluster was stopped on this machine")
        return
    for name in (*FOR_WORKERS, *before.preload):
        importlib.import_module(name)
    node, arena, listeners = furnish(before.session, before.host, before.arena_size, before.certificates is not None)
    inside, outside = listeners
    tell(f"node {node.hex()} takes the place of node {before.node.hex()}, and has a log of its own")
    daemon.write_to(place.log(f"node-{node.hex()}"))
    place.note(msgspec.structs.replace(mine[0], node=node.hex(), address=default_address(before.session, node)))
    boot = msgspec.structs.replace(before, node=node, address=format_address(outside))
    run_node(boot, [arena.fd, inside.fileno(), outside.fileno()])
