"""What the processes of a run have together: a folder, with a pipe that each of them holds open as long as it lives.

alive        the pipe: the keeper reads it, and sees its end when the last holder is gone
lock         held by who looks for the cluster, or has it started
keeper.json  the keeper's process and the cluster's address, when it is up
keeper.log   what the keeper has written
clusters     what is written down about the cluster
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

#: Seconds that the keeper may take to end the cluster when everybody has gone.
PATIENCE: Final = 30.0
_FOLDER: Final = "rustyray-testrun"


class Holding:
    """This process' part."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._pipe = -1

    @property
    def has_folder(self) -> bool:
        return hasattr(self._config, "_tmp_path_factory")

    @property
    def folder(self) -> Path:
        base: Path = self._config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        return (base.parent if hasattr(self._config, "workerinput") else base) / _FOLDER

    def hold(self) -> None:
        """The cluster, if there is one or comes to be one, stays as long as this process does."""
        if self._pipe < 0 and self.has_folder:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            pipe = self.folder / "alive"
            try:
                os.mkfifo(pipe, 0o600)
            except FileExistsError:
                pass  # another process of the run was first
            self._pipe = os.open(pipe, os.O_RDWR)  # does not wait for the keeper
            self._config.add_cleanup(self._let_go)

    def _let_go(self) -> None:
        os.close(self._pipe)
        if not hasattr(self._config, "workerinput"):
            self.wait_for_end()

    def wait_for_end(self) -> None:
        """At the end of the run: until the keeper has ended the cluster, if there is one."""
        if not self.has_folder or not self.folder.exists():
            return
        from pytest_rustyray.keeper import process
        from rustyray.engines.native.processes.kernel import wait_for_end

        keeper = process.running(self.folder)
        if keeper is not None and not wait_for_end(keeper.pid, PATIENCE):
            print(
                f"rustyray: the cluster of the run has not ended in {PATIENCE:g} s: see {self.folder}", file=sys.stderr
            )
        elif not process.has_said(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, options: Mapping[str, Any]) -> str:
        """Where the cluster is; it is started with these options if there is none. Raises `KeeperError`."""
        import fcntl

        from pytest_rustyray.keeper import process

        if not self.has_folder:
            raise process.KeeperError("its files are in pytest's temporary folder, and the plugin tmpdir is disabled")
        self.hold()
        with open(self.folder / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keeper = process.running(self.folder) or process.start(self.folder, options, str(self.folder / "alive"))
        return keeper.address


_HOLDING: Final = pytest.StashKey[Holding]()


def holding(config: pytest.Config) -> Holding:
    """This process' part in the run."""
    return config.stash.setdefault(_HOLDING, Holding(config))
