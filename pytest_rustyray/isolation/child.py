"""The test's process: runs the test as pytest does, and tells what comes of it."""

from __future__ import annotations

import atexit
import faulthandler
import gc
import os
import sys
import traceback
from typing import IO, Any, Final, NoReturn

import pytest

from pytest_rustyray import measuring
from pytest_rustyray.isolation import inherited
from pytest_rustyray.isolation.isolating import HERE
from pytest_rustyray.isolation.pipe import Teller

_PR_SET_PDEATHSIG: Final = 1
_SIGKILL: Final = 9


def main(item: pytest.Item, tell: Teller, last_words: IO[bytes]) -> NoReturn:
    """Run the test, and end the process."""
    try:
        _settle_in(item, last_words)
        tells = Tells(item.config, tell)
        item.config.pluginmanager.register(tells, "rustyray_tells_parent")
        tells.begun = True
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)  # all plugins have their part in it
        atexit._run_exitfuncs()
        measuring.save(item.config)
        tell("done")
    except pytest.exit.Exception as error:
        tell("exit", (error.msg, error.returncode))
    except KeyboardInterrupt:
        tell("interrupted")
    except BaseException:  # noqa: BLE001 - pytest's process raises it
        tell("raised", traceback.format_exc())
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass  # the test has closed it
        os._exit(0)


def _settle_in(item: pytest.Item, last_words: IO[bytes]) -> None:
    """Become a process that ends with its parent, and takes along what it starts."""
    os.setpgid(0, 0)
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    gc.freeze()  # what the parent leaves is none of ours to collect
    atexit._clear()
    faulthandler.enable(last_words)
    inherited.let_alone(item)
    item.stash[HERE] = True


class Tells:
    """Passes on what the plugins of the parent's process have to hear."""

    def __init__(self, config: pytest.Config, tell: Teller) -> None:
        self._config = config
        self._tell = tell
        #: The warnings that come before are those of earlier tests.
        self.begun = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        self._tell("phase", "setup")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        self._tell("phase", "call")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        self._tell("phase", "teardown")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # As the terminal's reporter would: what has counted failed subtests makes a failure of it here.
        self._config.hook.pytest_report_teststatus(report=report, config=self._config)
        self._tell("report", self._config.hook.pytest_report_to_serializable(config=self._config, report=report))

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str, location: Any) -> None:
        if self.begun:
            warning_message.source = None  # the object that is to blame stays here
            told = {"warning_message": warning_message, "when": when, "nodeid": nodeid, "location": location}
            self._tell("warning", told)
