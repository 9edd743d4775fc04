"""The search for leaks while other threads close what it has found."""

from __future__ import annotations

import os
import socket

import pytest

from pytest_rustyray.leaks import files


def test_what_another_thread_closes_during_the_search_is_no_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = socket.socketpair()
    number = one.detach()
    status = os.fstat(number)
    thing = (number, status.st_dev, status.st_ino)
    look = files.Descriptors()
    assert look.leak(thing) is not None
    still = files._is_open

    def closed_next(thing: files.Descriptor) -> bool:
        found = still(thing)
        os.close(thing[0])
        return found

    monkeypatch.setattr(files, "_is_open", closed_next)
    assert look.leak(thing) is None
    other.close()
