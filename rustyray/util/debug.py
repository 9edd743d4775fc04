"""``log_once``: what a process says only once."""

from __future__ import annotations

import time
from typing import Final

#: Seconds after which, with `enable_periodic_logging`, everything may be said once more.
PERIOD: Final = 60.0
_said: dict[str, float] = {}
_settings: Final = {"disabled": False, "periodic": False}


def log_once(key: str) -> bool:
    """Whether this is the first call with that key in this process (as in Ray)."""
    if _settings["disabled"]:
        return False
    now = time.monotonic()
    last = _said.get(key)
    if last is not None and not (_settings["periodic"] and now - last > PERIOD):
        return False
    _said[key] = now
    return True


def disable_log_once_globally() -> None:
    """From now on `log_once` returns False in this process."""
    _settings["disabled"] = True


def enable_periodic_logging() -> None:
    """From now on `log_once` returns True once a minute for each key, not once only."""
    _settings["periodic"] = True


def reset_log_once(key: str | None = None) -> None:
    """Forget that a key was used; all of them if none is given."""
    if key is None:
        _said.clear()
    else:
        _said.pop(key, None)


def __getattr__(name: str) -> object:
    from rustyray.missing import absent

    raise absent(__name__, name)
