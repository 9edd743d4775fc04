"""Two network namespaces with a cable between them: as far apart as two machines can be on one.

Each has its own addresses, ports and abstract sockets, and a directory of its own for what is written down about
clusters; they share the file system and the host's name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rustyray.engines.native.standing import stopping
from rustyray.engines.native.standing.places import Place
from tests.integration.standing.conftest import Commands

_LONGEST = 15  # of an interface's name


class Machine(Commands):
    """Runs commands inside one of them."""

    def __init__(self, directory: str, namespace: str, address: str, cable: str) -> None:
        super().__init__(directory)
        self.host = address
        self._namespace = namespace
        self._cable = cable
        self.prefix = ["ip", "netns", "exec", namespace]

    def plug(self, connected: bool) -> None:
        """Pull the cable, or put it in again."""
        _ip("-n", self._namespace, "link", "set", self._cable, "up" if connected else "down")

    def place(self) -> Place:
        (path,) = Path(self.directory).glob("cluster-*")
        return Place(str(path))

    def take_key(self, other: Machine) -> str:
        """Copy the other's key file, as a user would."""
        copy = Path(self.directory, "key.json")
        copy.touch(0o600)
        copy.write_bytes(Path(other.place().key_file).read_bytes())
        return str(copy)

    def stop(self) -> None:
        for path in Path(self.directory).glob("cluster-*"):
            stopping.stop(Place(str(path)), force=True)


def missing() -> str:
    """Why there can be none here; empty if there can."""
    if sys.platform != "linux" or shutil.which("ip") is None:
        return "there is no command 'ip' to make network namespaces with"
    name = f"rr-{os.getpid()}-try"
    done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"network namespaces cannot be made here: {done.stderr.strip()}"
    done = subprocess.run(["ip", "netns", "exec", name, "true"], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "del", name], check=False)
    return f"network namespaces cannot be entered here: {done.stderr.strip()}" if done.returncode else ""


@contextmanager
def two_machines(folder: Path) -> Iterator[tuple[Machine, Machine]]:
    """Two of them, and nothing of them left in the end."""
    pid = os.getpid()
    names = [f"rr-{pid}-{side}" for side in "ab"]
    cables = [f"rr{pid}{side}"[:_LONGEST] for side in "ab"]
    hosts = ["10.213.77.1", "10.213.77.2"]
    made: list[Machine] = []
    try:
        for name in names:
            _ip("netns", "add", name)
        ends = ["type", "veth", "peer", "name", cables[1], "netns", names[1]]
        _ip("link", "add", cables[0], "netns", names[0], *ends)
        for name, cable, host in zip(names, cables, hosts, strict=True):
            _ip("-n", name, "address", "add", f"{host}/24", "dev", cable)
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "link", "set", cable, "up")
            directory = folder / name[-1]
            directory.mkdir(0o700)
            made.append(Machine(str(directory), name, host, cable))
        yield made[0], made[1]
    finally:
        for machine in made:
            machine.stop()
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
