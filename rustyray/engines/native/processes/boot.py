"""What a forked process is told before it can be spoken to: the requests to the zygote, and what a worker inherits.

The driver's requests travel as msgpack over its private socketpair with the zygote, descriptors beside them. A worker
is forked by its node and gets a `WorkerBoot` as a plain object.
"""

from __future__ import annotations

import array
import enum
import os
import socket
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

import msgspec

from rustyray.core.effects import Refusal
from rustyray.core.node import NodeLimits
from rustyray.engines.native.network.certificates import Certificates
from rustyray.model.ids import JobID, NodeID, WorkerID
from rustyray.model.resources import ResourceSet
from rustyray.wire.codec import as_plain, escaped

_T = TypeVar("_T")


#: Numeric libraries in workers use one thread each unless the environment says otherwise (as in Ray): there are as
#: many workers as CPUs.
ONE_THREAD: Final = {"OMP_NUM_THREADS": "1"}


#: The one that is in force without being told, as in `rustyray.model.settings`, which workers need not import.
LOG_LEVEL: Final = "WARNING"


class NodeFd(enum.IntEnum):
    """The order of the descriptors that come with a `ForkNode`."""

    ARENA = 0
    LISTENER = 1
    STDOUT = 2
    STDERR = 3
    TCP = 4


class NodeBoot(msgspec.Struct, frozen=True, kw_only=True):
    """All that a node process needs to start.

    ``key`` authenticates the session's processes to one another. ``resources`` are in fixed-point units;
    ``arena_size`` is the store's capacity in bytes; the node listens at ``address`` on the socket that comes along. In
    a cluster (``tcp``) that is a TCP address; it listens at its Unix socket as well, and so do its workers.

    It hosts the head unless ``head_address`` says where that is, in the process ``head``; it then also needs to
    be told the driver's ``job``, which otherwise is made here. A ``shared`` node has no driver of its own: drivers come
    and go. What is known of its cluster lies in ``session_dir``, which goes with the head if that is here. What it
    listens at for others is on ``host``, and speaks TLS if there are ``certificates``. An empty ``namespace`` asks for
    one of the job's own.
    ``argv``, ``sys_path``, ``cwd``, ``env`` and ``umask`` are the driver's, taken over by the workers. ``prestart``
    workers are forked at once. On SIGTERM the workers have ``grace`` seconds to end before they are killed. Objects are
    spilled to ``spill_directory``; ``limits`` are the numbers by which the node decides. Its workers and its store may
    take ``memory_limit`` bytes, if that is not 0, instead of what the machine has. The workers run on ``cpus`` alone,
    if any are given. It and they may each open ``descriptors`` files, if that is not 0. With ``partitions`` the driver
    may keep the node apart from others. What ``quiet`` workers write goes nowhere. ``first``: it came with the head.

    ``refusals`` are those of the nodes that had a shared node's place before. The next one has the modules ``preload``
    imported as well, and is killed when the process ``tied`` ends, if that is not 0.
    """

    node: NodeID
    session: bytes
    key: bytes
    driver: WorkerID
    driver_pid: int
    namespace: str
    resources: ResourceSet
    arena_size: int
    address: str
    sys_path: list[str]
    cwd: str
    env: dict[str, str]
    argv: list[str] = []
    umask: int = 0o022
    prestart: int = 0
    labels: dict[str, str] = {}
    log_level: str = LOG_LEVEL
    logging: tuple[str, str, tuple[str, ...]] | None = None
    tracing_hook: bytes = b""
    grace: float = 1.0
    session_dir: str = ""
    head: bytes = b""
    head_address: str = ""
    job: JobID = b""
    tcp: bool = False
    host: str = "127.0.0.1"
    shared: bool = False
    certificates: Certificates | None = None
    spill_directory: str = "/tmp"
    limits: NodeLimits = NodeLimits()
    memory_limit: int = 0
    cpus: list[int] = []
    descriptors: int = 0
    partitions: bool = False
    quiet: bool = False
    refusals: list[Refusal] = []
    preload: list[str] = []
    tied: int = 0
    first: bool = False


def packages_of(boot: NodeBoot) -> str:
    """The folder in which a node's workers unpack what their environments need; it goes with the node.

    If the node is killed, it goes with the cluster's directory, or whoever forked the node removes it.
    """
    if boot.session_dir:
        return f"{boot.session_dir}/packages-{boot.node.hex()}"
    return f"{boot.spill_directory}/rustyray-{boot.session.hex()}-{boot.node.hex()}"


class WorkerBoot(msgspec.Struct, frozen=True, kw_only=True):
    """All that a worker process needs to start: it listens at ``address`` and reports to its node.

    In a cluster (``tcp``) it listens at a TCP address on ``host`` as well, which it makes known in place of the other.

    ``sys.path``, ``sys.argv``, the working directory, the environment, the umask and the standard streams are the
    driver's already. ``head`` is the process that hosts the head. The arena's descriptor is open; its size is in
    bytes. ``job`` and ``namespace`` are those of ``driver``. It sets itself up with ``env``, whose packages are in the
    folder ``packages``.
    """

    worker: WorkerID
    node: NodeID
    session: bytes
    key: bytes
    address: str
    node_address: str
    head: bytes
    head_address: str
    driver: WorkerID
    job: JobID
    namespace: str
    arena_fd: int
    arena_size: int
    env: bytes = b""
    packages: str = ""
    log_level: str = LOG_LEVEL
    logging: tuple[str, str, tuple[str, ...]] | None = None
    tracing_hook: bytes = b""
    session_dir: str = ""
    temp_dir: str = ""
    quiet: bool = False
    tcp: bool = False
    host: str = "127.0.0.1"
    certificates: Certificates | None = None


# --- driver → zygote --------------------------------------------------------------------------------------------------


class ForkNode(msgspec.Struct, tag=1, array_like=True):
    """Start a node; `NodeFd` lists the descriptors that come along. Answered by `Forked` or `Refused`."""

    boot: NodeBoot


class Preload(msgspec.Struct, tag=2, array_like=True):
    """Import ``modules`` once, for all processes forked from now on. Answered by `Preloaded`."""

    modules: list[str]
    sys_path: list[str]


class AskNode(msgspec.Struct, tag=3, array_like=True):
    """Has the node ended, and how? If not, it gets the ``signal`` first, unless that is 0. Answered by `NodeStatus`."""

    pid: int
    signal: int = 0


class ForkTwin(msgspec.Struct, tag=4, array_like=True):
    """Start a zygote as this one is, for a process that the driver has forked; its socket comes along. Answered by
    `Forked` or `Refused`."""

    driver_pid: int


Request = ForkNode | Preload | AskNode | ForkTwin


# --- zygote → driver --------------------------------------------------------------------------------------------------


class Forked(msgspec.Struct, tag=11, array_like=True):
    pid: int


class Refused(msgspec.Struct, tag=12, array_like=True):
    """The system would not fork."""

    reason: str


class Preloaded(msgspec.Struct, tag=13, array_like=True):
    """``failed`` maps the modules that could not be imported to the reason."""

    failed: dict[str, str]


class NodeStatus(msgspec.Struct, tag=14, array_like=True):
    """``ended`` is empty while the node runs, then a sentence. A node that is not ``known`` was an earlier zygote's."""

    ended: str = ""
    known: bool = True


Reply = Forked | Refused | Preloaded | NodeStatus


# --- the channel between them -----------------------------------------------------------------------------------------


REQUESTS: Final[msgspec.msgpack.Decoder[Request]] = msgspec.msgpack.Decoder(Request)
REPLIES: Final[msgspec.msgpack.Decoder[Reply]] = msgspec.msgpack.Decoder(Reply)


class Channel(Generic[_T]):
    """A stream socket that carries msgpack objects, each behind its length (4 bytes, little-endian), and descriptors.

    What is received goes through ``decoder``. `send` and `receive` raise EOFError when the other end is gone.
    """

    def __init__(self, sock: socket.socket, decoder: msgspec.msgpack.Decoder[_T]) -> None:
        self._sock = sock
        self._decoder = decoder
        self._encoder = msgspec.msgpack.Encoder(enc_hook=as_plain)

    def send(self, message: msgspec.Struct, fds: Sequence[int] = ()) -> None:
        try:
            body = self._encoder.encode(message)
        except UnicodeEncodeError:  # as `encode` for other messages
            body = self._encoder.encode(escaped(message))
        data = len(body).to_bytes(4, "little") + body
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            sent = self._sock.sendmsg([data], rights)
            if sent < len(data):
                self._sock.sendall(memoryview(data)[sent:])
        except (BrokenPipeError, ConnectionResetError):
            raise EOFError("the other end is gone") from None

    def receive(self, max_fds: int = 0) -> tuple[_T, list[int]]:
        """The next object, and the descriptors that came with it (not inheritable; the caller closes them)."""
        fds: list[int] = []
        size = int.from_bytes(self._read(4, max_fds, fds), "little")
        return self._decoder.decode(self._read(size, 0, fds)), fds

    def _read(self, size: int, max_fds: int, fds: list[int]) -> bytearray:
        data = bytearray()
        while len(data) < size:
            space = socket.CMSG_SPACE(4 * max_fds) if max_fds and not data else 0
            try:
                part, rights, _, _ = self._sock.recvmsg(size - len(data), space)
            except ConnectionResetError:
                part, rights = b"", []
            for _, _, received in rights:
                fds.extend(array.array("i", received[: len(received) // 4 * 4]))
            if not part:
                raise EOFError("the other end is gone")
            data += part
        for fd in fds:
            os.set_inheritable(fd, False)
        return data

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()
