"""Ray's remote debugger, which RustyRay does not have: its names are there and say what to do instead."""

from __future__ import annotations

from typing import NoReturn

_INSTEAD = (
    "there is no remote debugger. Write breakpoint(), and run the program with init(engine='sim'), where tasks run in "
    "this process and the debugger has its terminal; or call the plain function (f.func(…), Actor.cls(…))."
)


def set_trace(breakpoint_uuid: object = None) -> NoReturn:
    """Raises RuntimeError, which says how to debug a task."""
    raise RuntimeError(f"rpdb.set_trace(): {_INSTEAD}")


def post_mortem() -> NoReturn:
    """Raises RuntimeError, which says how to debug a task."""
    raise RuntimeError(f"rpdb.post_mortem(): {_INSTEAD}")
