"""Where a process listens, as one string: how it is written, connected to and listened on.

unix:@name          a Linux abstract socket: no file, so nothing is left behind and no TMPDIR is too long
unix:/path          a socket file, where there are no abstract sockets
tcp:host:port       an IP address (an IPv6 one stands in brackets); port 0 lets the system choose when listening; what
                    is not loopback must be encrypted
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from typing import Final, TypeAlias

SocketAddress: TypeAlias = str | tuple[str, int]

#: The longest path (or abstract name) that fits into the kernel's structure, in bytes.
MAX_PATH: Final = 107 if sys.platform == "linux" else 103
BACKLOG: Final = 4096
_SO_NOSIGPIPE: Final = 0x1022  # macOS; the socket module does not name it
_SHORT_DIRECTORY: Final = "/tmp"
_LOOPBACK: Final = {"localhost": "127.0.0.1"}
_LOOPBACK_6: Final = bytes(15) + b"\1"


def parse(address: str, encrypted: bool = False) -> tuple[socket.AddressFamily, SocketAddress]:
    """The family and the socket module's form of ``address``.

    Raises:
        ValueError: it is not an address, too long, of a kind that is not supported here, or leads off this machine
            where connections are not ``encrypted``.
    """
    scheme, _, rest = address.partition(":")
    if scheme == "unix" and rest:
        return socket.AF_UNIX, _parse_unix(address, rest)
    if scheme == "tcp" and rest:
        return _parse_tcp(address, rest, encrypted)
    raise ValueError(f"not an address: {address!r} (it looks like unix:@name, unix:/path or tcp:host:port)")


def format_address(sock: socket.socket) -> str:
    """The address that ``sock`` is bound to."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        if isinstance(name, bytes):
            return "unix:@" + os.fsdecode(name[1:])
        return f"unix:{name}"
    host, port = name[:2]
    return f"tcp:[{host}]:{port}" if ":" in host else f"tcp:{host}:{port}"


def any_port(host: str = "127.0.0.1") -> str:
    """A TCP address on ``host`` to listen at: the system chooses the port."""
    return f"tcp:[{host}]:0" if ":" in host else f"tcp:{host}:0"


def connect(address: str, encrypted: bool = False) -> socket.socket:
    """A non-blocking socket that is connected to ``address``, or is about to be (TCP: it becomes writable).

    Raises:
        ValueError: as `parse`.
        OSError: nobody listens there, or nobody can be reached now (BlockingIOError: its queue is full, try again).
    """
    family, where = parse(address, encrypted)
    sock = new_socket(family)
    code = sock.connect_ex(where)
    if code and code != errno.EINPROGRESS:
        sock.close()
        raise OSError(code, os.strerror(code))
    return sock


def listen(address: str, encrypted: bool = False) -> socket.socket:
    """A non-blocking listening socket bound to ``address``. Raises ValueError as `parse`, OSError if it is taken."""
    family, where = parse(address, encrypted)
    sock = new_socket(family)
    try:
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def close_listener(sock: socket.socket) -> None:
    """Close a listening socket, and remove its file if it has one."""
    name = sock.getsockname() if sock.family == socket.AF_UNIX else b""
    sock.close()
    if isinstance(name, str) and name:
        try:
            os.unlink(name)
        except FileNotFoundError:
            pass  # somebody cleaned up the directory: that is all that was wanted


def default_address(session: bytes, identity: bytes, *, abstract: bool = sys.platform == "linux") -> str:
    """The address at which the process ``identity`` of ``session`` listens; a directory is made for it if need be."""
    name = f"{session.hex()}-{identity.hex()}"
    if abstract:
        return f"unix:@rustyray-{name}"
    return f"unix:{os.path.join(_directory(len(name) + 1), name)}"


def new_socket(family: socket.AddressFamily) -> socket.socket:
    """A stream socket that never blocks, is not inherited and, where that is a socket's option, raises no SIGPIPE."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    prepare(sock)
    return sock


def prepare(sock: socket.socket) -> None:
    """Make ``sock`` (new, or accepted) what `new_socket` promises."""
    sock.setblocking(False)
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if sys.platform == "darwin":
        sock.setsockopt(socket.SOL_SOCKET, _SO_NOSIGPIPE, 1)


def _parse_unix(address: str, rest: str) -> str:
    size = len(os.fsencode(rest))
    if size > MAX_PATH:
        raise ValueError(
            f"the socket path in {address!r} has {size} bytes, and this system takes {MAX_PATH}: "
            "use a shorter directory"
        )
    if "\0" in rest:
        raise ValueError(f"an address cannot hold a zero byte: {address!r}")
    if rest.startswith("@"):
        if sys.platform != "linux":
            raise ValueError(f"{address!r}: only Linux has abstract sockets; use unix:/path")
        return "\0" + rest[1:]
    if not rest.startswith("/"):
        raise ValueError(f"the socket path in {address!r} is not absolute")
    return rest


def _parse_tcp(address: str, rest: str, encrypted: bool) -> tuple[socket.AddressFamily, tuple[str, int]]:
    host, _, port = rest.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"{address!r} is not of the form tcp:host:port, with a port from 0 to 65535")
    host = _LOOPBACK.get(host, host)
    family = socket.AF_INET
    if host.startswith("[") and host.endswith("]"):
        family, host = socket.AF_INET6, host[1:-1]
    try:
        packed = socket.inet_pton(family, host)
    except OSError:
        raise ValueError(f"{address!r} does not name its host by an IP address") from None
    if not any(packed):
        raise ValueError(f"{address!r}: nobody can call {host}; name the address at which others reach this machine")
    if not (encrypted or packed == _LOOPBACK_6 or (family == socket.AF_INET and packed[0] == 127)):
        raise ValueError(
            f"{address!r} is not a loopback address: what leaves this machine must be encrypted, and this cluster has "
            "no TLS (rustyray start --head --tls)"
        )
    return family, (host, int(port))


def _directory(reserve: int) -> str:
    """A directory of this user's own, short enough for a name of ``reserve`` bytes to fit behind it."""
    import tempfile  # slow to import, and not needed on Linux

    for base in (tempfile.gettempdir(), _SHORT_DIRECTORY):
        path = os.path.join(base, f"rustyray-{os.geteuid()}")
        if len(os.fsencode(path)) + reserve <= MAX_PATH and make_private(path):
            return path
    return tempfile.mkdtemp(prefix="rustyray-", dir=_SHORT_DIRECTORY)


def make_private(path: str) -> bool:
    """Whether ``path`` is, maybe from now on, a directory that nobody else can write to or replace."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        found = os.lstat(path)
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    except OSError:
        return False
    return True
