"""``get_log``: what a program has written that was submitted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rustyray import missing


def get_log(
    address: str | None = None, *, submission_id: str | None = None, follow: bool = False, tail: int = -1, **of: Any
) -> Iterator[str]:
    """What a program has written, in pieces (as in Ray); of workers nothing is kept.

    Args:
        address: of the cluster, if it is not the only one on this machine.
        submission_id: the program's name, as `rustyray.job_submission` has it.
        follow: go on until it is over.
        tail: only the last so many lines that are there at first; -1: all.
        of: Ray's others, which name a worker's file and are refused.

    Raises:
        ValueError: It is not a program's.
        RuntimeError: There is no such program.
    """
    if submission_id is None:
        raise ValueError(f"get_log() {missing.REASONS['ray.util.state.get_log']}; submission_id=… names a program")
    from rustyray.engines.native.standing.everywhere import Everywhere
    from rustyray.engines.native.standing.places import find

    jobs = Everywhere(find(address or "auto"))
    return _pieces(jobs, submission_id, follow, tail)


def _pieces(jobs: Any, name: str, follow: bool, tail: int) -> Iterator[str]:
    text = jobs.output(name)
    if tail >= 0:
        yield "".join(text.splitlines(keepends=True)[len(text.splitlines()) - tail :] if tail else [])
    else:
        yield text
    seen = len(text)
    for piece in jobs.follow(name) if follow else ():
        yield piece[seen:] if seen < len(piece) else ""
        seen = max(0, seen - len(piece))
