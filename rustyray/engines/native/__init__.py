"""The native engine: real processes, sockets and shared memory on this machine.

driver.py         the user's process: starts the node, shuts everything down
guest.py          the user's process that joins a cluster; any_driver.py is what the two have in common
standing/         clusters that drivers join, started from the command line
node_main.py      a node's process from its fork on
node_process.py   head and node: leases, workers, the store's index
worker.py         runs tasks and actors
pump.py           one process' I/O: the thread that waits does it
network/          connections, handshakes, TLS: bytes between processes
processes/        forks node processes in milliseconds, and workers from them

What a program can ask for, and how its code is run, is in `rustyray.engines.client`, shared with the simulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rustyray.model.settings import Settings
    from rustyray.runtime.engine import Engine


def start(settings: Settings) -> Engine:
    """Start a runtime of this process' own; returns when its node is up (workers may still be starting)."""
    from rustyray.engines.native.processes import spawn

    spawn.start_early()  # its imports and ours then go on at the same time
    from rustyray.engines.native.driver import Driver

    return Driver.start(settings)


def join(address: str, namespace: str, log_to_driver: bool, environment: Mapping[str, Any]) -> Engine:
    """Connect to a cluster that stands by itself. Raises ConnectionError when that cannot be."""
    from rustyray.engines.native.guest import Guest
    from rustyray.engines.native.standing.places import find

    if "://" in address:
        raise ValueError(f"init(address={address!r}) is not supported: write host:port, 'auto' or 'local'")
    return Guest.join(find(address), namespace, log_to_driver)
