"""What becomes of a peer that proved who it is and then says what no sound peer says.

The messages of peers are well-formed, or they would not be decoded; they may still make no sense where they arrive:
the peer is broken, or is not what it should be. A core raises then. That must not end the process, in which others
have a stake: the connection ends instead, and with it all that the peer had here.
"""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Final

from rustyray.model.ids import short

if TYPE_CHECKING:
    from rustyray.engines.native.network.hub import Hub
    from rustyray.model.messages import Message

#: So many different kinds of nonsense are told of: a peer can come again and again.
_MOST_TOLD: Final = 20
_told: set[str] = set()


def cut_off(hub: Hub, peer: bytes, message: Message, error: Exception) -> None:
    """``message`` from ``peer`` made a core raise ``error``: say so on standard error, and end the connection."""
    what = type(message).__name__
    kind = f"{what} {type(error).__name__}"
    if kind not in _told and len(_told) < _MOST_TOLD:
        _told.add(kind)
        lines = "".join(traceback.format_exception(error))
        try:
            print(f"rustyray: {what} from {short(peer)} makes no sense here, it is cut off:\n{lines}", file=sys.stderr)
        except (OSError, ValueError):
            pass  # nobody reads it any more, and that is no reason to end
    hub.drop(peer, f"{short(peer)} was cut off for sending {what} that makes no sense here: {error}")
