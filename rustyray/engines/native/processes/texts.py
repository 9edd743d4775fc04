"""Names that the system has as bytes, of files and variables: in messages, whose texts are Unicode, they may not be.

One that is not goes behind a NUL, which no such name has.
"""

from __future__ import annotations

import os
from typing import Final

_BYTES: Final = "\0"


def sendable(text: str) -> str:
    """The name as a message may have it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _BYTES + os.fsencode(text).decode("latin-1")
    return text


def received(text: str) -> str:
    """The name that `sendable` was given."""
    return os.fsdecode(text[1:].encode("latin-1")) if text.startswith(_BYTES) else text


def environment(variables: dict[str, str]) -> dict[str, str]:
    """Variables as a message may have them."""
    return {sendable(name): sendable(value) for name, value in variables.items()}
