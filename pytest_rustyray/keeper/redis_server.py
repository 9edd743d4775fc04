"""A Redis server of a cluster's own: it listens on this machine alone, wants a password, and writes nothing to disk."""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from os import getpid
from pathlib import Path
from typing import Final

from rustyray.engines.native.processes import kernel

PROGRAM: Final = "redis-server"
#: Seconds that it has to end.
_PATIENCE: Final = 5.0
#: Others may take the port between the moment that it was free and that in which the server has it.
_ATTEMPTS: Final = 5


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Its address, while in ``with``. To be called by a process with one thread, with which the server ends."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise FileNotFoundError(f"there is no {PROGRAM} on the PATH")
    password = secrets.token_hex(16)
    for _ in range(_ATTEMPTS):
        port = _free_port()
        config = f'port {port}\nbind 127.0.0.1\nrequirepass {password}\nsave ""\nappendonly no\ndir "{folder}"\n'
        server = subprocess.Popen(
            [program, "-"],
            stdin=subprocess.PIPE,
            stdout=2,
            text=True,
            preexec_fn=partial(kernel.set_parent_death_signal, signal.SIGKILL, getpid()),  # noqa: PLW1509 - one thread
        )
        try:
            assert server.stdin is not None
            server.stdin.write(config)
            server.stdin.close()
            if _listens(port, server):
                yield f"redis://:{password}@127.0.0.1:{port}/0"
                return
        finally:
            server.terminate()
            try:
                server.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    raise RuntimeError(f"{PROGRAM} does not start: see what it has written")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int, server: subprocess.Popen[str]) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.01)
    return False
