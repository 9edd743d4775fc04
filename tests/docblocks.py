"""Finds the programs in the documentation: fenced blocks marked `python`.

Blocks that follow a comment `<!-- continues -->` belong to the block before and run with it. One that follows
`<!-- not run: REASON -->` is left out. No other block escapes.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<ticks>`{3,}|~{3,})[ \t]*(?P<language>[\w+-]*)(?P<rest>[^`]*)$")
MARK = re.compile(r"^<!--\s*(?P<verb>continues|not run)\b:?\s*(?P<reason>.*?)\s*-->$")


class DocumentationError(ValueError):
    """A page that the tests cannot make sense of."""


@dataclass(frozen=True)
class Program:
    """One or more blocks of a page that run together; the text keeps the page's line numbers."""

    page: str
    line: int
    source: str

    @property
    def holds_tests(self) -> bool:
        return re.search(r"^\s*(async )?def test_", self.source, re.MULTILINE) is not None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Block:
    """A fenced block: the line of its first line of code, and the mark that stood before it."""

    line: int
    language: str
    text: str
    verb: str = ""
    reason: str = ""


def pages(root: Path) -> list[Path]:
    """All pages whose programs run."""
    top = [root / "README.md", root / "CONTRIBUTING.md"]
    return [page for page in top if page.exists()] + sorted(root.joinpath("docs").rglob("*.md"))


def programs(page: str, text: str) -> list[Program]:
    """Return the page's programs, in order; raises DocumentationError for a mark that cannot be right."""
    found: list[Program] = []
    for block in blocks(page, text):
        if block.language not in ("python", "py", "python3"):
            if block.verb:
                raise DocumentationError(f"{page}:{block.line}: only a python block can be marked {block.verb!r}")
        elif block.verb == "not run":
            if len(block.reason.split()) < 2:
                raise DocumentationError(f"{page}:{block.line}: say why it is not run: <!-- not run: REASON -->")
        elif block.verb == "continues":
            if not found:
                raise DocumentationError(f"{page}:{block.line}: nothing before it that it could continue")
            found[-1] = _joined(found[-1], block)
        else:
            found.append(Program(page, block.line, block.text))
    return found


def _joined(before: Program, block: Block) -> Program:
    """The two as one, with blank lines between, so that a traceback names the page's lines."""
    gap = block.line - before.line - before.source.count("\n")
    return Program(before.page, before.line, before.source + "\n" * gap + block.text)


def blocks(page: str, text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    lines = enumerate(text.splitlines(), 1)
    mark: re.Match[str] | None = None
    for number, line in lines:
        opening = FENCE.match(line)
        if opening is None:
            if line.strip():
                mark = MARK.match(line.strip())
            continue
        body: list[str] = []
        for _, inside in lines:
            if inside.strip().startswith(opening["ticks"]) and not inside.strip().strip(opening["ticks"][0]):
                break
            body.append(inside)
        else:
            raise DocumentationError(f"{page}:{number}: the block is never closed")
        code = textwrap.dedent("\n".join(body)) + "\n"
        yield Block(number + 1, opening["language"], code, mark["verb"] if mark else "", mark["reason"] if mark else "")
        mark = None
