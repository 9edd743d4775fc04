"""``Waiter``: whoever waits, for values or for an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rustyray.model.messages import Message


class Waiter:
    """A thread (or a callback) that waits until ``need`` things have happened, or one of them failed."""

    __slots__ = ("callback", "done", "gate", "need", "reply", "stop_at_error")

    def __init__(self, need: int = 1, stop_at_error: bool = False, callback: Callable[[], None] | None = None) -> None:
        self.need = need
        self.stop_at_error = stop_at_error
        self.callback = callback
        self.done = False
        self.gate: Any = None
        self.reply: Message | None = None
