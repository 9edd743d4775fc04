"""A worker has no terminal: who wants to debug there is told what to do instead."""

from __future__ import annotations

import os
import sys
from typing import Any


def refuse_breakpoint(*arguments: Any, **named: Any) -> Any:
    """In place of `sys.breakpointhook`; a debugger that ``PYTHONBREAKPOINT`` names is called all the same.

    Raises:
        RuntimeError: There is no such debugger.
    """
    if os.environ.get("PYTHONBREAKPOINT"):
        return sys.__breakpointhook__(*arguments, **named)  # noqa: T100 - it is the user's
    raise RuntimeError(
        f"breakpoint() was called in a worker (pid {os.getpid()}), which has no terminal. Call the plain function, as "
        "f.func(…), or simulate: under init(engine='sim'), with pytest under -s --rustyray-topology=sim, tasks run in "
        "the program's own process. A debugger that needs no terminal can be named in PYTHONBREAKPOINT"
    )
