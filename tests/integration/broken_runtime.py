"""Faults of the runtime itself, for a zygote to preload: what a test cannot bring about from outside.

A node asked to describe the cluster on behalf of request `BUG` meets an exception in a core. Where the environment has
`NO_FORK`, a node cannot fork.
"""

from __future__ import annotations

import errno
import os
from typing import Final

from rustyray.core.head import HeadCore
from rustyray.model.messages import DescribeCluster, Message

BUG: Final = 4711
NO_FORK: Final = "RUSTYRAY_TEST_NO_FORK"

_sound = HeadCore.on_message
_fork = os.fork


def _broken(core: HeadCore, sender: bytes, message: Message, now: float) -> None:
    if isinstance(message, DescribeCluster) and message.request == BUG:
        raise ZeroDivisionError("a bug in a core")
    _sound(core, sender, message, now)


def _failing_fork() -> int:
    if NO_FORK in os.environ:
        raise BlockingIOError(errno.EAGAIN, "no more processes")
    return _fork()


HeadCore.on_message = _broken  # type: ignore[method-assign,assignment]
os.fork = _failing_fork
