"""Real text to work on: the Python standard library's own sources, which every machine has."""

from __future__ import annotations

import sysconfig
from pathlib import Path


def stdlib_sources(limit: int) -> list[Path]:
    """Returns at most `limit` top-level modules of the standard library, in alphabetical order."""
    root = Path(sysconfig.get_paths()["stdlib"])
    return sorted(root.glob("*.py"))[:limit]


def read(path: Path) -> str:
    """Returns the text of a source file, whatever odd bytes it holds."""
    return path.read_text(encoding="utf-8", errors="replace")
