"""What ``import ray`` gives: all that ``rustyray`` has, and Ray's other names."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any, Final

import rustyray
from rustyray import *  # noqa: F403
from rustyray import missing
from rustyray._version import RAY_VERSION
from rustyray.compat import names

#: Programs ask for it, and expect at least some version.
__version__ = RAY_VERSION
__commit__: Final = "rustyray"
#: The logger that libraries for Ray take from there.
logger: Final = logging.getLogger("ray")
SCRIPT_MODE: Final = 0
WORKER_MODE: Final = 1

__all__ = list(rustyray.__all__)


def shutdown(  # type: ignore[no-redef] # instead of the other
    *, wait_for_processes: bool = False, _exiting_interpreter: bool = False
) -> None:
    """As `rustyray.shutdown`, without time for tasks that are running: Ray does not wait for them, either.

    For the end of processes it waits in any case.
    """
    rustyray.shutdown(grace=0)


def __getattr__(name: str) -> Any:
    if not name.startswith("__"):
        try:
            return import_module(names.target(f"{names.RAY}.{name}"))
        except ModuleNotFoundError:
            pass  # it is no module, or none that is there
    raise missing.absent(names.RAY, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *names.SHARED})


#: As programs know it: they name loggers after it, and import what is in it by its name.
__name__ = names.RAY
