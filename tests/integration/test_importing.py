"""Importing RustyRay is quick, and says so where it cannot run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

#: Without ``site``, whose ``.pth`` files may import anything; the path has to be given then.
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False, env=ENVIRONMENT
    )


def test_slow_modules_are_left_for_later() -> None:
    slow = [
        "asyncio",
        "cloudpickle",
        "concurrent.futures",
        "dataclasses",
        "difflib",
        "logging",
        "msgspec",
        "typing_extensions",
    ]
    done = python(f"import sys, rustyray; print([name for name in {slow!r} if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("module", ["rustyray", "rustyray.exceptions", "rustyray.runtime.ref", "rustyray.api.calls"])
def test_any_module_may_be_imported_first(module: str) -> None:
    done = python(f"import {module}")
    assert (done.returncode, done.stderr) == (0, "")


def test_windows_is_told_why_not() -> None:
    done = python("import sys; sys.platform = 'win32'; import rustyray")
    assert "ImportError: RustyRay does not run on Windows: it shares memory" in done.stderr
    assert "WSL 2" in done.stderr
