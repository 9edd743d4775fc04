"""Options from text."""

from __future__ import annotations

from typing import Final

from pytest_rustyray.options.table import UNITS

_UNITS: Final = {unit.lower(): factor for unit, factor in UNITS.items()} | {"kb": 10**3, "mb": 10**6, "gb": 10**9}
_FLAGS: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def number(text: str) -> int | float:
    """``2`` or ``0.5``."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def size(text: str) -> int:
    """Bytes, or ``256MiB``."""
    lower = text.lower().strip()
    for unit, factor in _UNITS.items():
        if lower.endswith(unit):
            return int(float(lower.removesuffix(unit)) * factor)
    return int(lower)


def flag(text: str) -> bool:
    """``true`` or ``false``."""
    found = _FLAGS.get(text.lower().strip())
    if found is None:
        raise ValueError(text)
    return found


def words(text: str) -> list[str]:
    """``one,other``."""
    return [word.strip() for word in text.split(",") if word.strip()]


def flag_or_words(text: str) -> bool | list[str]:
    """``true``, ``false``, or ``one,other``."""
    found = _FLAGS.get(text.lower().strip())
    return words(text) if found is None else found


def texts(text: str) -> dict[str, str]:
    """``name=value,other=value``."""
    pairs = [pair.split("=", 1) for pair in text.split(",") if pair.strip()]
    return {name.strip(): value.strip() for name, value in pairs}


def numbers(text: str) -> dict[str, int | float]:
    """``name=2,other=0.5``."""
    return {name: number(value) for name, value in texts(text).items()}
