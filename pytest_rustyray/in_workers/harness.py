"""Hears of each worker's start, and of each task."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_rustyray.variables import COVERAGE, PATCHES

if TYPE_CHECKING:
    from pytest_rustyray.in_workers.lines import Lines
    from pytest_rustyray.in_workers.patches import Patches


class InWorker:
    """A `rustyray.runtime.context.Harness`, told by the environment what this run needs."""

    def __init__(self) -> None:
        self._lines: Lines | None = None
        self._patches: Patches | None = None

    def begin(self) -> None:
        if COVERAGE in os.environ:
            from pytest_rustyray.in_workers.lines import Lines

            self._lines = Lines(os.environ[COVERAGE])
        if PATCHES in os.environ:
            from pytest_rustyray.in_workers.patches import Patches

            self._patches = Patches(os.environ[PATCHES])

    def before_task(self) -> None:
        if self._patches is not None:
            self._patches.apply()

    def after_task(self) -> None:
        if self._lines is not None:
            self._lines.write()
