"""A real Ray in this process (``topology="ray"``): what is its own, and therefore no test's.

Its C++ and gRPC keep descriptors that no Python object has, for later Rays too: they cannot do without. Its processes
end by themselves after `ray.shutdown`, a little later.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from rustyray.engines.native.processes.kernel import wait_for_end

#: Parts of command lines that only processes of Ray's own have.
_COMMANDS: Final = (b"ray::", b"/ray/core/src/ray/", b"/ray/_private/", b"/ray/dashboard/")
#: Seconds that they may take to end when Ray is down.
PATIENCE: Final = 10.0
#: The modules with what is not Python.
_NATIVE: Final = ("ray._raylet", "grpc._cython.cygrpc")


def has_native_descriptors() -> bool:
    """Whether descriptors that no Python object has are to be let alone."""
    return any(name in sys.modules for name in _NATIVE)


def is_own(pid: int) -> bool:
    """Whether it is a process of Ray's own, which runs because Ray does, or has ended soon enough now that it does not.

    Workers with what they run are its own; what these start is not.
    """
    ray: Any = sys.modules.get("ray")
    if "ray._raylet" not in sys.modules or not _is_named_so(pid):
        return False
    return ray.is_initialized() or wait_for_end(pid, PATIENCE)


def _is_named_so(pid: int) -> bool:
    """A process that has ended has no command line."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read()
    except OSError:
        return False
    return any(part in command for part in _COMMANDS)
