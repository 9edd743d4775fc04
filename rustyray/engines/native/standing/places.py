"""What is written down about the clusters of this machine, for those who look for them.

Each cluster has a directory of its own, which only this user can enter, named after its session:

    cluster.json    where the head listens, and the key: whoever can read this file may join (mode 0600)
    PID.json        a process of the cluster on this machine, as long as it runs
    PID.log         what that process, and workers without a driver, have written
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from typing import Final, TypeVar

import msgspec

from rustyray.engines.native.network.address import make_private
from rustyray.engines.native.network.certificates import Certificates
from rustyray.model.messages import HEAD

#: The environment variables that say where all this is, and which file has the key of a cluster elsewhere.
DIRECTORY_VARIABLE: Final = "RUSTYRAY_TMPDIR"
KEY_VARIABLE: Final = "RUSTYRAY_KEY_FILE"
_CLUSTER: Final = "cluster.json"

_T = TypeVar("_T", bound=msgspec.Struct)


class ClusterFile(msgspec.Struct, frozen=True, kw_only=True):
    """What one needs to know to join a cluster.

    ``address`` is ``host:port``; ``session`` and ``key`` are hexadecimal. Where TLS is spoken there are also the
    ``certificates`` to do it with. The head is a process of its own, unless ``head`` names the node that hosts it.

    A cluster that ends with a ``program`` has its pid. Programs that join get ``namespace`` unless they name one, and
    are shown nothing of what their workers print if it is ``quiet``.
    """

    address: str
    session: str
    key: str
    certificates: Certificates | None = None
    head: str = ""
    program: int = 0
    namespace: str = ""
    quiet: bool = False

    @property
    def session_bytes(self) -> bytes:
        return bytes.fromhex(self.session)

    @property
    def key_bytes(self) -> bytes:
        return bytes.fromhex(self.key)

    @property
    def head_bytes(self) -> bytes:
        return bytes.fromhex(self.head) or HEAD

    @property
    def head_address(self) -> str:
        return f"tcp:{self.address}"


class ProcessFile(msgspec.Struct, frozen=True, kw_only=True):
    """A process of a cluster: the head (``node`` is empty) or a node, which drivers here call at ``address``.

    What it listens at for others is on ``host``; its drivers do the same. A node that goes with the head was started
    with it, ``beside`` it.
    ``started`` is when, in the system's own count, so that another process with its number is not taken for it.
    """

    pid: int
    started: str
    node: str = ""
    address: str = ""
    host: str = "127.0.0.1"
    beside: bool = False

    def is_alive(self) -> bool:
        return started(self.pid) == self.started


def started(pid: int) -> str:
    """When the process began, in a form that only serves to tell it from others; empty if there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return "" if fields[0] == b"Z" else fields[19].decode()
    except FileNotFoundError:
        pass
    if os.path.isdir("/proc/self"):
        return ""
    try:  # no /proc: all that can be known is that there is one
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    return "running"


def base() -> str:
    """The directory that holds everything. Raises RuntimeError when it cannot be this user's own."""
    path = os.environ.get(DIRECTORY_VARIABLE) or os.path.join(tempfile.gettempdir(), f"rustyray-{os.geteuid()}")
    if not make_private(path):
        raise RuntimeError(
            f"{path} is not a directory that only this user can enter: remove it, make it so (chmod 700), or name "
            f"another in {DIRECTORY_VARIABLE}"
        )
    return path


class Place:
    """The directory of one cluster."""

    def __init__(self, path: str) -> None:
        self.path = path

    @classmethod
    def of(cls, cluster: ClusterFile) -> Place:
        """Make the directory, and write the cluster down, unless that was done: it may not be what it says it is."""
        place = cls.named(cluster.session)
        return place if place.cluster() is not None else cls.record(cluster)

    @classmethod
    def record(cls, cluster: ClusterFile) -> Place:
        """The same for a cluster that is known to be as it says: its head is this process' or has answered."""
        place = cls.named(cluster.session)
        os.makedirs(place.path, 0o700, exist_ok=True)
        write(os.path.join(place.path, _CLUSTER), cluster)
        return place

    @classmethod
    def named(cls, session: str) -> Place:
        """The directory of the cluster with this session; it may not be there."""
        return cls(os.path.join(base(), f"cluster-{session}"))

    @property
    def key_file(self) -> str:
        return os.path.join(self.path, _CLUSTER)

    def cluster(self) -> ClusterFile | None:
        return _read(self.key_file, _CLUSTER_FILES)

    def log(self, name: str) -> str:
        return os.path.join(self.path, f"{name}.log")

    def processes(self) -> list[ProcessFile]:
        """Those that run, the head first, then as they were started."""
        found = [
            _read(os.path.join(self.path, name), _PROCESS_FILES) for name in _listed(self.path) if name[0].isdigit()
        ]
        living = [one for one in found if one is not None and one.is_alive()]
        return sorted(living, key=lambda one: (bool(one.node), float(one.started) if one.started.isdigit() else 0.0))

    def note(self, process: ProcessFile) -> None:
        write(os.path.join(self.path, f"{process.pid}.json"), process)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def places() -> list[Place]:
    """The clusters of which a process runs on this machine, the newest first. What others have left is removed."""
    found = []
    top = base()
    for name in _listed(top):
        place = Place(os.path.join(top, name))
        if name.startswith("cluster-"):
            if place.processes():
                found.append(place)
            elif _is_old(place.path):
                place.remove()
    return sorted(found, key=lambda place: os.stat(place.path).st_ctime, reverse=True)


def _is_old(path: str) -> bool:
    """Whether nobody is just making it."""
    import time

    try:
        return time.time() - os.stat(path).st_mtime > 60.0
    except FileNotFoundError:
        return False


def find(address: str, key_file: str = "") -> ClusterFile:
    """The cluster whose head listens at ``address`` (``host:port``).

    "auto" is the one of this program, or of that which has started it; without one, the only cluster of this machine
    that stands by itself.

    Its key is in ``key_file``, in the file that ``RUSTYRAY_KEY_FILE`` names, or in this machine's records.

    Raises:
        ConnectionError: there is none, or more than one to choose from.
        ValueError: the key file is not one.
    """
    path = key_file or os.environ.get(KEY_VARIABLE, "")
    if path:
        named = _key_from(path)
        if address != "auto" and not same_address(named.address, address):
            raise ConnectionError(f"the key in {path} is for the cluster at {named.address}, not for {address}")
        return named
    known = [cluster for place in places() if (cluster := place.cluster()) is not None]
    if address != "auto":
        for one in known:
            if same_address(one.address, address):
                return one
        if address.startswith("unix:"):
            raise ConnectionError(
                f"what is at {address} is a program's own runtime, which no other program joins: have it make "
                "a rustyray.cluster_utils.Cluster, or call 'rustyray start --head', and let both join that"
            )
        there = ", ".join(one.address for one in known)
        raise ConnectionError(
            f"no cluster at {address} is known on this machine"
            + (f" (there is {there})" if there else "")
            + f". Start one with 'rustyray start --head', or copy the key file of a cluster elsewhere (its start says "
            f"where that is) and name it in {KEY_VARIABLE}. (A Cluster of rustyray.cluster_utils ends with the program "
            "that made it.)"
        )
    known = _ours(known) or [one for one in known if not one.program]
    if not known:
        raise ConnectionError("no cluster runs on this machine: start one with 'rustyray start --head'")
    if len(known) > 1:
        there = ", ".join(one.address for one in known)
        raise ConnectionError(f"more than one cluster runs on this machine: give the address of one of {there}")
    return known[0]


def _ours(known: list[ClusterFile]) -> list[ClusterFile]:
    """Those of this program, or else of the nearest that has started it and has some."""
    pid = os.getpid()
    while pid > 1 and any(one.program for one in known):
        if found := [one for one in known if one.program == pid]:
            return found
        pid = _parent(pid)
    return []


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except FileNotFoundError:
        return os.getppid() if pid == os.getpid() else 0


def same_address(one: str, other: str) -> bool:
    return one.replace("localhost", "127.0.0.1") == other.replace("localhost", "127.0.0.1")


_HEXADECIMAL: Final = re.compile(r"([0-9a-f]{2})+")


def _key_from(path: str) -> ClusterFile:
    cluster = _read(path, _CLUSTER_FILES)
    if cluster is None or not all(map(_HEXADECIMAL.fullmatch, (cluster.session, cluster.key))):
        raise ValueError(f"{path} is not the key file of a cluster")
    if os.stat(path).st_mode & 0o077:
        raise ValueError(f"others can read the key file {path}, and with it join the cluster: chmod 600 {path}")
    return cluster


def write(path: str, content: msgspec.Struct) -> None:
    """Write a file that only this user can read, all at once."""
    unfinished = f"{path}.{os.getpid()}"
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(msgspec.json.encode(content))
    os.replace(unfinished, path)


#: Made here, as msgspec crashes when two threads are the first to decode something of one type.
_CLUSTER_FILES: Final = msgspec.json.Decoder(ClusterFile)
_PROCESS_FILES: Final = msgspec.json.Decoder(ProcessFile)


def _read(path: str, kind: msgspec.json.Decoder[_T]) -> _T | None:
    try:
        with open(path, "rb") as file:
            return kind.decode(file.read())
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _listed(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []
