"""What a core that is driven by hand has sent."""

from __future__ import annotations

from typing import TypeVar

from rustyray.model.messages import Message

M = TypeVar("M")


class Outbox:
    """``sent`` are the messages that nobody has looked at yet, and to whom each went."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Message]] = []

    def take(self, to: bytes, kind: type[M]) -> list[M]:
        """The messages of one kind that were sent to ``to`` since the last look."""
        found: list[M] = [message for peer, message in self.sent if peer == to and isinstance(message, kind)]
        self.sent = [(peer, message) for peer, message in self.sent if peer != to or not isinstance(message, kind)]
        return found

    def one(self, to: bytes, kind: type[M]) -> M:
        """The only one of its kind, as `take`."""
        found = self.take(to, kind)
        assert len(found) == 1, f"expected one {kind.__name__} to {to.hex()}, got {found}"
        return found[0]
