"""Failure reports end where the test's own code does: frames of the runtime between a test and its error say nothing.

The error itself tells what happened in the worker. ``--full-trace`` shows everything.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Prepare the error for whoever makes the report."""
    runtime = sys.modules.get("rustyray")
    if call.excinfo is None or runtime is None or item.config.option.fulltrace:
        return
    replaying = sys.modules.get("rustyray.testing.exploring.replaying")
    if replaying is not None and isinstance(call.excinfo.value, replaying.ReplayMismatch):
        call.excinfo = _plain(str(call.excinfo.value))
        return
    tb = without(call.excinfo.tb, os.path.dirname(str(runtime.__file__)) + os.sep, os.path.dirname(__file__) + os.sep)
    if tb is not None:
        call.excinfo = pytest.ExceptionInfo.from_exc_info((call.excinfo.type, call.excinfo.value, tb))


def _plain(text: str) -> pytest.ExceptionInfo[BaseException]:
    """A failure that is told by its text alone: a test that `replay` decorates has not even begun."""
    try:
        pytest.fail(text, pytrace=False)
    except pytest.fail.Exception as failure:
        return pytest.ExceptionInfo.from_exception(failure)


def without(tb: TracebackType, *folders: str) -> TracebackType | None:
    """The traceback less the frames of files in ``folders``; None if that leaves nothing, or all."""
    frames: list[TracebackType] = []
    rest: TracebackType | None = tb
    while rest is not None:
        frames.append(rest)
        rest = rest.tb_next
    kept = [frame for frame in frames if not frame.tb_frame.f_code.co_filename.startswith(folders)]
    if len(kept) == len(frames):
        return None
    linked: TracebackType | None = None
    for frame in reversed(kept):
        linked = TracebackType(linked, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return linked
