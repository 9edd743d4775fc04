"""Which module stands for which of Ray's."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from rustyray import missing

RAY: Final = "ray"
#: The module that ``import ray`` gives.
TOP: Final = "rustyray.compat.modules"
#: What of RustyRay has the same place in Ray. The rest of it is how RustyRay is made, and no part of ``ray``.
SHARED: Final = frozenset(
    {
        "cloudpickle",
        "cluster_utils",
        "dag",
        "exceptions",
        "experimental",
        "job_config",
        "job_submission",
        "runtime_env",
        "util",
    }
)


def target(name: str) -> str:
    """The full name of the module that stands for Ray's module ``name``.

    Raises:
        ModuleNotFoundError: There is none; the message says why, and what to do instead.
    """
    if name == RAY:
        return TOP
    inner = name.removeprefix(RAY + ".")
    for found in ([f"rustyray.{inner}"] if inner.partition(".")[0] in SHARED else []) + [f"{TOP}.{inner}"]:
        if _there(found):
            return found
    raise ModuleNotFoundError(missing.module(name), name=name)


def alias(found: str) -> str:
    """Ray's name of a module of RustyRay, or nothing."""
    package, _, inner = found.partition(".")
    return f"{RAY}.{inner}" if package == "rustyray" and inner.partition(".")[0] in SHARED else ""


def _there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is not there, or is no package
        return False
