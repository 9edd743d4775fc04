"""The reports that the README shows are what a suite gives."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docblocks import blocks
from tests.integration.plugin.conftest import Suite

README = Path(__file__).parents[4] / "README.md"
SUITE = Path(__file__).with_name("bank.txt")
CUT = "…"


def captures() -> list[list[str]]:
    """The captures in the README, each in parts that were cut apart."""
    section = README.read_text(encoding="utf-8").partition("## When a test goes wrong\n")[2].partition("\n## ")[0]
    found = []
    for block in blocks("README.md", section):
        parts = re.split(rf"^{CUT}$", plain(block.text), flags=re.MULTILINE)
        found.append([part.strip("\n") for part in parts])
    return found


def plain(text: str) -> str:
    """Without what differs from run to run: where files are, times, ids, numbers of processes."""
    text = re.sub(r"/\S*/(?=\w+\.py)", "", text)
    text = re.sub(r"\d\d:\d\d:\d\d\.\d{3}", "TIME", text)
    text = re.sub(r"\b[0-9a-f]{4}…", "ID…", text)
    text = re.sub(r"\bnode [0-9a-f]{16}\b", "node ID", text)
    return re.sub(r"\b(worker|process|pid) \d+", r"\1 N", text)


def test_captures(suite: Suite) -> None:
    suite.write(test_bank=SUITE.read_text(encoding="utf-8"))
    result = suite.run()
    result.assert_outcomes(passed=1, errors=1, failed=2)
    text = plain(result.stdout.str())
    found = captures()
    assert len(found) == 3
    for parts in found:
        at = 0
        for part in parts:
            assert part in text[at:]
            at = text.index(part, at) + len(part)
