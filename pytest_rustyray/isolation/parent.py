"""Pytest's process: forks the test's, passes on what that tells, and tells of its death if it dies."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import tempfile
import time
import warnings
from importlib import import_module
from typing import IO, Any, Final, NamedTuple

import pytest
from _pytest.skipping import evaluate_xfail_marks, xfailed_key

from pytest_rustyray import fixtures, options
from pytest_rustyray.hangs.deadline import STUCK
from pytest_rustyray.isolation import child
from pytest_rustyray.isolation.pipe import Hearer, Teller
from pytest_rustyray.leaks import processes

#: Seconds that a test which overruns has to say so itself, in its own process, before that is ended; and to tear down.
GRACE: Final = 15.0
ENDING: Final = 35.0
#: Seconds that a process has to end: to say where it is, or after its test.
LEAVE: Final = 5.0
#: So much of what a process that died has said is told, in characters.
SHOWN: Final = 10_000
_TEMPORARY: Final = frozenset({"tmp_path", "tmp_path_factory", "tmpdir", "tmpdir_factory"})
_OF_CHECKS: Final = ("hangs.watchdog", "leaks.files", "leaks.processes", "leaks.threads", "leaks.work")
_OF_RUNTIMES: Final = ("api.engines", "engines.native.driver", "model.settings", "runtime.serialization")
_HARNESS: Final = "_pytest|pluggy|pytest_rustyray|pytest|xdist|execnet"
_OF_PYTEST: Final = re.compile(
    rf'^  File "([^"]*[/\\]({_HARNESS})[/\\][^"]*|<frozen runpy>|<string>)"|^Extension modules:'
)
_HINTS: Final[dict[int, str]] = {signal.SIGKILL: "; the kernel does so when memory runs out"}


def run(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Run a test in a process of its own, report what comes of it, and get ready for the next test."""
    if _TEMPORARY.intersection(getattr(item, "fixturenames", ())):
        factory: Any = item.config._tmp_path_factory  # type: ignore[attr-defined]
        factory.getbasetemp()  # one for all tests, which this process clears away
    _import_early(item)
    with tempfile.TemporaryFile() as last_words, processes.orphans_ended():
        one = _Child(item, last_words)
        try:
            one.hear()
        finally:
            how = one.end()
        one.report_death(how)
    _tear_down(item, nextitem)
    one.raise_what_it_raised()


def _import_early(item: pytest.Item) -> None:
    """What each test's process would import for itself."""
    if fixtures.uses(item) or "rustyray" in sys.modules:
        for name in _OF_CHECKS:
            import_module(f"pytest_rustyray.{name}")
    if fixtures.uses(item):
        for name in _OF_RUNTIMES:
            import_module(f"rustyray.{name}")


class _Ending(NamedTuple):
    """How a process ended: its exit code, and whether it was made to end because its time was over."""

    code: int
    overran: bool


class _Zygotes:
    """What runtimes are forked from: the child of a process that has one is given one, which saves it a tenth of a
    second. Without, or if that fails, its runtime starts one."""

    def __init__(self, item: pytest.Item) -> None:
        module = sys.modules.get("rustyray.engines.native.processes.zygote")
        self._own: Any = module.Zygote.running() if module is not None and fixtures.uses(item) else None
        self._ends = socket.socketpair() if self._own is not None else ()

    def take(self) -> None:
        """In the child."""
        if self._ends:
            self._own.adopt(self._ends[0])
            self._ends[1].close()

    def give(self, pid: int) -> None:
        """In the parent."""
        if self._ends:
            self._ends[0].close()
            with self._ends[1] as end:
                try:
                    self._own.fork_twin(pid, end.fileno())
                except RuntimeError:
                    pass  # the child sees that the other end is closed


class _Child:
    """A test's process."""

    def __init__(self, item: pytest.Item, last_words: IO[bytes]) -> None:
        self._item = item
        self._last_words = last_words
        self._phase = "setup"
        self._reported: set[str] = set()
        self._done = False
        self._overran = False
        self._interruption: BaseException | None = None
        self._raised: BaseException | None = None
        self._began = time.time()
        self._clock = time.perf_counter()
        limit = options.for_node(item.config.stash[fixtures.COMMON], item)["timeout"][0]
        assert isinstance(limit, int | float)
        self._limit = limit
        zygotes = _Zygotes(item)
        ours, theirs = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads here are no reason against it
            self.pid = os.fork()
        if not self.pid:
            os.close(ours)
            zygotes.take()
            child.main(item, Teller(theirs), last_words)
        os.close(theirs)
        self._hearer = Hearer(ours, self.pid)
        zygotes.give(self.pid)

    # --- what it tells ------------------------------------------------------------------------------------------------

    def hear(self) -> None:
        """Pass on what it tells, until it has ended, or its time is over."""
        deadline = self._clock + self._limit + GRACE if self._limit else float("inf")
        while True:
            try:
                message = self._hearer.hear(deadline)
            except TimeoutError:
                self._overran = True
                return
            except pytest.fail.Exception as error:  # a plugin's alarm: pytest-timeout's, which rings there as well
                self._interruption = error
                deadline = min(deadline, time.perf_counter() + GRACE)
                continue
            if message is None:
                return
            self._heard(*message)
            now = time.perf_counter()
            if self._limit and now > self._clock + self._limit:
                deadline = max(deadline, now + ENDING)  # it has noticed, and tears down

    def _heard(self, kind: str, value: Any) -> None:
        hook = self._item.config.hook
        if kind == "phase":
            self._phase = value
            if value == "setup":
                self._reported.clear()  # another plugin runs it again
        elif kind == "report":
            report = hook.pytest_report_from_serializable(config=self._item.config, data=value)
            self._reported.add(report.when)
            self._item.ihook.pytest_runtest_logreport(report=report)
        elif kind == "warning":
            hook.pytest_warning_recorded.call_historic(kwargs=value)
        elif kind == "exit":
            self._raised = pytest.exit.Exception(*value)
        elif kind == "interrupted":
            self._raised = KeyboardInterrupt()
        elif kind == "raised":
            self._raised = RuntimeError(f"in the process of {self._item.nodeid}:\n{value}")
        if kind in ("done", "exit", "interrupted", "raised"):
            self._done = True

    def raise_what_it_raised(self) -> None:
        """What is no test's failure, but ends the run."""
        if self._raised is not None:
            raise self._raised

    # --- its end ------------------------------------------------------------------------------------------------------

    def end(self) -> _Ending:
        """See to it that it has ended, and what it has started with it."""
        if not self._hearer.has_ended() and not self._done:
            os.kill(self.pid, signal.SIGABRT)  # it says where it is
        deadline = time.perf_counter() + LEAVE
        while not self._hearer.has_ended() and time.perf_counter() < deadline:
            try:
                self._hearer.hear(deadline)
            except TimeoutError:
                break
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # it has come to nothing, or (on macOS) all of it are zombies
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        self._hearer.close()
        return _Ending(os.waitstatus_to_exitcode(status), self._overran)

    def report_death(self, how: _Ending) -> None:
        """If it did not come to the end of its test, that is the report."""
        if self._done:
            return
        item = self._item
        item.stash[xfailed_key] = evaluate_xfail_marks(item)
        error = self._interruption or pytest.fail.Exception(self._told(how), pytrace=False)
        if self._phase != "setup":  # plugins that note in which phase a test is meet the phases in order here, too
            item.ihook.pytest_runtest_makereport(item=item, call=pytest.CallInfo.from_call(lambda: None, "setup"))
        dead_between = self._phase in self._reported  # and so in what comes next
        if not dead_between:
            self._report(self._phase, error)
        if "teardown" not in self._reported:
            self._report("teardown", error if dead_between else None)

    def _report(self, phase: Any, error: BaseException | None) -> None:
        now = time.perf_counter() - self._clock
        call = pytest.CallInfo.from_call(lambda: _raise(error), phase)
        if error is not None:
            call.start, call.stop, call.duration = self._began, self._began + now, now
        report: pytest.TestReport = self._item.ihook.pytest_runtest_makereport(item=self._item, call=call)
        if error is not None:
            report.sections += self._output(phase)
        self._reported.add(phase)
        self._item.ihook.pytest_runtest_logreport(report=report)

    def _told(self, how: _Ending) -> str:
        where = f"in its {self._phase}"
        if how.code == STUCK:
            text = (
                f"the test did not end within {self._limit:g} s, and could not be interrupted {where}: its process "
                "ended itself, and has written to standard error why"
            )
        elif how.overran:
            text = f"the test did not end within {self._limit:g} s: its process was ended {where}"
        elif how.code < 0:
            number = -how.code
            text = f"the test's process was killed {where} by signal {number} ({_name(number)}){_HINTS.get(number, '')}"
        else:
            text = f"the test's process left {where} with exit code {how.code}: os._exit() was called, or C code did so"
        self._last_words.seek(0)
        said = stacks(self._last_words.read().decode(errors="replace"))
        return f"{text}\n\n{said[-SHOWN:]}" if said else text

    def _output(self, phase: str) -> list[tuple[str, str]]:
        """What it has written, as far as that was captured in files."""
        capture: Any = self._item.config.pluginmanager.get_plugin("capturemanager")
        if capture is None or not capture.is_globally_capturing():
            return []
        out, err = capture.read_global_capture()
        both = ((f"Captured stdout {phase}", out), (f"Captured stderr {phase}", err))
        return [(title, text) for title, text in both if text]


def stacks(text: str) -> str:
    """What the interpreter says at its death, without the frames of pytest."""
    lines = text.strip().splitlines()
    return "\n".join(line for line in lines if not _OF_PYTEST.search(line))


def _raise(error: BaseException | None) -> None:
    if error is not None:
        raise error


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"


def _tear_down(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End what this process has up for longer than one test, and the next one does not need."""
    state: Any = item.session._setupstate
    call = pytest.CallInfo.from_call(
        lambda: state.teardown_exact(nextitem), "teardown", reraise=(pytest.exit.Exception, KeyboardInterrupt)
    )
    if call.excinfo is not None:
        report = item.ihook.pytest_runtest_makereport(item=item, call=call)
        item.ihook.pytest_runtest_logreport(report=report)
