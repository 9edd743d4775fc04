"""Each test that may use a runtime has a deadline. At that, who waits for what is told, and the test is ended.

The main thread is interrupted by a signal of this plugin's own: it fails where it stands in the test's code, or, in the
middle of the runtime's, where that does no harm. A runtime that is the test's own is then shut down. If the main thread
does not hear of it, because it is in C code that does not give way, the process says what it knows and ends.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator
from time import monotonic, sleep  # by name: a simulated runtime has others
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_rustyray import fixtures, options
from pytest_rustyray.isolation.isolating import HERE
from pytest_rustyray.lifetimes import running_engine

if TYPE_CHECKING:
    from pytest_rustyray.hangs.looking import Findings
    from pytest_rustyray.hangs.watchdog import Watchdog

#: Nobody else's, we hope.
_SIGNAL: Final[int] = getattr(signal, "SIGRTMAX", signal.SIGUSR2 + 1) - 1
#: Seconds between two attempts to interrupt, and after which it is given up.
AGAIN: Final = 1.0
GRACE: Final = 10.0
#: Seconds that the test's fixtures have to end, once it was ended.
ENDING: Final = 30.0
#: The exit code of a process that could not be interrupted.
STUCK: Final = 70
#: Seconds between two looks whether who waits for what is told by now.
LOOK: Final = 0.01
_FINDINGS: Final = pytest.StashKey["Findings"]()


class Deadlines:
    """Watches one test after the other."""

    def __init__(self) -> None:
        self._watchdog: Watchdog | None = None
        self._item: pytest.Item | None = None
        self._limit = ""
        #: The main thread is in a phase of the test that may be interrupted, the so manieth one.
        self._inside = False
        self._phase_number = 0
        self._due = 0.0
        self._over = threading.Event()
        #: Guards that a phase is over, and that it is late, so that it cannot become both unnoticed.
        self._lock = threading.Lock()
        #: The number of the phase that is late, while it is looked who waits for what, and until it has failed.
        self._late_phase = 0
        #: What the main thread is to fail with.
        self._error: BaseException | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        try:
            return (yield)
        finally:
            if self._item is not None and self._watchdog is not None:
                self._watchdog.set(float("inf"))
                self._item = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        self._begin(item)  # another attempt at a test has a deadline of its own
        return (yield from self._phase())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        return (yield from self._phase())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        return (yield from self._phase())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        findings = item.stash.get(_FINDINGS, None)
        if findings is not None and report.failed:
            report.sections += findings.sections
            del item.stash[_FINDINGS]
        return report

    def pytest_enter_pdb(self) -> None:
        """Whoever debugs has time."""
        if self._watchdog is not None:
            self._set(float("inf"))

    # --- in the main thread -------------------------------------------------------------------------------------------

    def _begin(self, item: pytest.Item) -> None:
        value, source = options.for_node(item.config.stash[fixtures.COMMON], item)["timeout"]
        main = threading.current_thread() is threading.main_thread()
        if not value or not main or not (source or fixtures.uses(item) or "rustyray" in sys.modules):
            return
        if self._watchdog is None:
            from pytest_rustyray.hangs.watchdog import Watchdog

            signal.signal(_SIGNAL, self._on_signal)
            self._watchdog = Watchdog(self._late)
        self._item, self._error = item, None
        self._limit = f"{value:g} s" + (f" (timeout={value:g}, {source})" if source else "")
        self._set(float(str(value)))

    def _phase(self) -> Generator[None, object, object]:
        if self._item is None:
            return (yield)
        self._phase_number += 1
        self._inside = True
        try:
            result = yield
            self._leave()
            return result
        except KeyboardInterrupt as interrupt:
            if self._error is None:
                raise
            raise self._error.with_traceback(interrupt.__traceback__) from None
        except BaseExceptionGroup as group:  # of fixtures that end; one need not say what another has said
            error = self._error
            if error is None or group.split(lambda one: one is error)[1] is not None:
                raise
            raise error from None
        finally:
            with self._lock:
                self._inside = False
                self._late_phase = 0
            self._over.set()
            if self._error is not None:
                self._end_runtime()

    def _leave(self) -> None:
        """The phase has come to its end. If it is late, it fails all the same, as soon as that can be told.

        The watchdog may not know yet: code in C that keeps the interpreter to itself kept it from looking.
        """
        with self._lock:
            self._inside = False
            if monotonic() >= self._due:
                self._late_phase = self._phase_number
            late = self._late_phase == self._phase_number
        until = monotonic() + GRACE
        while late and self._error is None and monotonic() < until:
            sleep(LOOK)
        if self._error is not None:
            raise pytest.fail.Exception(str(self._error), pytrace=False)  # the test's own frames are gone

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        error = self._error
        if error is None or not self._inside:
            return
        engine: Any = running_engine()
        if engine is not None and hasattr(engine, "interrupt"):
            engine.interrupt(error, frame)
        else:
            raise error

    def _end_runtime(self) -> None:
        """If it is the test's own. What the test has left in another one is put away as any leak is."""
        item, self._error = self._item, None
        assert item is not None
        if item.config.stash[fixtures.LIFETIMES].ends_with_test():
            sys.modules["rustyray"].shutdown(grace=0)
        self._set(ENDING)

    def _set(self, seconds: float) -> None:
        assert self._watchdog is not None
        self._due = monotonic() + seconds
        self._watchdog.set(seconds)

    # --- in the watchdog's thread -------------------------------------------------------------------------------------

    def _late(self) -> None:
        from pytest_rustyray.hangs.looking import look

        assert self._watchdog is not None
        self._over.clear()
        with self._lock:
            item, phase = self._item, self._phase_number
            here = self._inside or self._late_phase == phase
            late = item is not None and monotonic() >= self._due and here
            self._late_phase = phase if late else 0
        if item is None or not late:
            self._look_again()
            return
        findings = look(f"{item.config.rootpath}{os.sep}")
        waits = "".join(f"\n  {line}" for line in findings.waits)
        text = f"the test took longer than {self._limit}, and was ended. Who waits for what:{waits}"
        with self._lock:
            if self._late_phase != phase:  # it has failed by itself
                self._look_again()
                return
            item.stash[_FINDINGS] = findings
            self._error = pytest.fail.Exception(text)
        until = monotonic() + GRACE
        while self._phase_number == phase and self._inside:
            if monotonic() > until:
                self._give_up(item, text, findings)
            signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)
            self._over.wait(AGAIN)

    def _look_again(self) -> None:
        """The deadline is another test's by now, or passed between two phases."""
        if self._item is not None and self._watchdog is not None:
            self._watchdog.set(max(AGAIN, self._due - monotonic()))

    def _give_up(self, item: pytest.Item, text: str, findings: Findings) -> None:
        """Tell all on standard error, and end. Of an isolated test, pytest's process reports that."""
        capture = item.config.pluginmanager.getplugin("capturemanager")
        captured = ("", "")
        if capture is not None and HERE not in item.stash:
            capture.suspend_global_capture(in_=True)
            captured = capture.read_global_capture()
        sections = [("Captured stdout", captured[0]), ("Captured stderr", captured[1]), *findings.sections]
        told = "".join(f"\n--- {title} ---\n{content}" for title, content in sections if content)
        sys.stderr.write(
            f"\n{item.nodeid}: {text}\nIt does not react, as it is in C code that does not give way, so this process "
            f"ends.{told}\n"
        )
        sys.stderr.flush()
        os._exit(STUCK)
