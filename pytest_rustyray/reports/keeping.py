"""The folder that stays of a test: what its runtime remembers, what was printed, and how to run it again."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest

from pytest_rustyray.reports import asking

#: Seconds that the runtime has.
ALL: Final = 5.0
EVENTS: Final = 10_000
#: A folder for those of this process.
_folders: Final[list[str]] = []


def keep_folder(item: pytest.Item, report: pytest.TestReport, engine: Any) -> str:
    """Write all that is known of the test and its runtime into a new folder; returns its path."""
    if not _folders:
        _folders.append(tempfile.mkdtemp(prefix="rustyray-kept-"))
    name = re.sub(r"[^\w.\[\]-]+", "_", item.nodeid)[-100:]
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_folders[0]))
    sections = [f"--- {title} ---\n{content}\n" for title, content in report.sections]
    text = report.longreprtext
    folder.joinpath("report.txt").write_text("\n".join([item.nodeid, report.outcome, "", text, *sections]))
    if engine is not None:
        _keep_runtime(folder, engine)
    return str(folder)


def _keep_runtime(folder: Path, engine: Any) -> None:
    def events() -> None:
        with folder.joinpath("events.jsonl").open("w") as file:
            for event in asking.events(engine, limit=EVENTS):
                file.write(json.dumps(event.to_dict()) + "\n")

    def counts() -> None:
        import rustyray

        folder.joinpath("stats.json").write_text(json.dumps(rustyray.stats(timeout=asking.ANSWER).to_dict(), indent=1))

    if hasattr(engine, "simulation"):
        events()
    else:
        wrong = [text for work in (events, counts) if (text := asking.by(ALL, work))]
        if wrong:
            folder.joinpath("problems.txt").write_text("\n".join(wrong))
    session = engine.process().session_dir
    if session and os.path.isdir(session):
        shutil.copytree(session, folder / "session", dirs_exist_ok=True)
