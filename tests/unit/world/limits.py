"""What random programs may do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What programs may do.

    One result of ``bigs`` goes through the store, and so do puts if ``big_puts``. They do more of what they ``favour``.
    With ``several``, some functions return two values. What is ``built``: actors have constructors, with arguments.
    """

    depth: int = 3
    steps: int = 6
    errors: bool = True
    actors: bool = True
    big: bool = True
    refs_out: bool = True
    keep: bool = False
    cancels: bool = False
    kills: bool = False
    groups: bool = False
    streams: bool = False
    recycled: bool = False
    several: bool = False
    built: bool = False
    max_retries: int = 3
    max_restarts: int = 0
    max_task_retries: int = 0
    cpus: tuple[float, ...] = (1, 1, 0.5, 2)
    bigs: int = 6
    big_puts: bool = True
    favour: tuple[str, ...] = ()
