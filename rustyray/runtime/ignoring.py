"""What of a folder is not packed, said by patterns as git has them: in ``excludes``, and in files in the folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Final

#: Never packed.
LEFT_OUT: Final = frozenset({".git", "__pycache__", ".venv", "venv"})
#: Their patterns hold for the folder that they lie in, and for those below it (as in Ray).
FILES: Final = (".gitignore", ".rayignore")
#: Set to 1, a ``.gitignore`` says nothing (in Ray, the same with ``RAY_`` before it).
VARIABLE: Final = "RUSTYRAY_RUNTIME_ENV_IGNORE_GITIGNORE"
_PIECE: Final = re.compile(
    r"\\(?P<plain>.)|(?P<any>\*+)|(?P<one>\?)|\[(?P<but>[!^]?)(?P<of>\]?[^]/]*)\]|(?P<other>.)", re.DOTALL
)


class Ignored:
    """The patterns of one folder.

    Args:
        lines: as in a ``.gitignore``: the last one that fits decides, and one with ``!`` before it keeps.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self._rules = list(_rules(lines))

    def says(self, path: str, is_folder: bool) -> bool | None:
        """Whether a path in the folder is left out; None where no pattern fits."""
        for pattern, folders_only, leaves_out in reversed(self._rules):
            if (is_folder or not folders_only) and pattern.fullmatch(path):
                return leaves_out
        return None


def kept(folder: str, excludes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The files of a folder that are to be packed, sorted: their path in it, and where they are."""
    names = FILES[1:] if os.environ.get(VARIABLE) == "1" else FILES
    excluded = Ignored(excludes)

    def walk(inner: str, above: dict[str, list[tuple[str, Ignored]]]) -> Iterator[tuple[str, str]]:
        where = os.path.join(folder, inner)
        here = {name: [*_read(where, inner, name), *above.get(name, ())] for name in names}
        folders = []
        for entry in sorted(os.scandir(where), key=lambda entry: entry.name):
            path, is_folder = inner + entry.name, entry.is_dir()
            if entry.name in LEFT_OUT or excluded.says(path, is_folder):
                continue
            if any(_decided(patterns, path, is_folder) for patterns in here.values()):
                continue
            if is_folder and not entry.is_symlink():
                folders.append(path + "/")
            elif entry.is_file():
                yield path, entry.path
        for path in folders:
            yield from walk(path, here)

    yield from walk("", {})


def _read(where: str, inner: str, name: str) -> Iterator[tuple[str, Ignored]]:
    try:
        with open(os.path.join(where, name), encoding="utf-8", errors="surrogateescape") as file:
            yield inner, Ignored(file.readlines())
    except (FileNotFoundError, IsADirectoryError):
        return


def _decided(patterns: Sequence[tuple[str, Ignored]], path: str, is_folder: bool) -> bool:
    """What the innermost folder says that says something."""
    for inner, ignored in patterns:
        said = ignored.says(path[len(inner) :], is_folder)
        if said is not None:
            return said
    return False


def _rules(lines: Sequence[str]) -> Iterator[tuple[re.Pattern[str], bool, bool]]:
    for line in lines:
        text = re.sub(r"(?<!\\)\s+$", "", line)
        if not text or text.startswith("#"):
            continue
        leaves_out = not text.startswith("!")
        text = text.removeprefix("!")
        path = text.rstrip("/")
        expression = _expression(path if "/" in path else f"**/{path}")
        try:
            yield re.compile(expression, re.DOTALL), text.endswith("/"), leaves_out
        except re.error:
            continue  # such as [z-a], which fits nothing in git either


def _expression(path: str) -> str:
    """A regular expression for a pattern of whole paths."""
    *folders, last = path.removeprefix("/").split("/")
    found = "".join("(?:.+/)?" if name == "**" else _of_name(name) + "/" for name in folders)
    return found + (".+" if last == "**" else _of_name(last))


def _of_name(name: str) -> str:
    def one(found: re.Match[str]) -> str:
        if found["any"]:
            return "[^/]*"
        if found["one"]:
            return "[^/]"
        if found["of"] is not None:
            of = found["of"].replace("\\", "\\\\").replace("[", "\\[")
            return f"[^/{of}]" if found["but"] else f"[{of}]"
        return re.escape(found["plain"] or found["other"])

    return _PIECE.sub(one, name)
