"""Makes failed assertions explain themselves in workers as they do under pytest.

Code of test modules arrives with its assertions rewritten, and looks for pytest's support of that. What pytest adds for
comparisons, such as the place where two lists differ, it gets from hooks, which only the process that runs the tests
has; here pytest's own implementation is called directly.
"""

from __future__ import annotations

import ast
import os
from types import CodeType, SimpleNamespace
from typing import Any, Final

import _pytest.assertion
import _pytest.assertion.rewrite  # what the code of test modules refers to
from _pytest.assertion import util

from pytest_rustyray.variables import VERBOSITY
from rustyray.runtime import serialization_imports

#: As many lines of a comparison as pytest shows without -vv.
_LINES: Final = 8


class _Config:
    """The little of pytest's configuration that comparing asks for."""

    pluginmanager = SimpleNamespace(has_plugin=lambda name: False)
    #: The others, which are limits, are not set.
    _ini: Final = {"assertion_text_diff_style": "ndiff"}

    def get_verbosity(self, kind: str | None = None) -> int:
        return int(os.environ.get(VERBOSITY, "0"))

    def getini(self, name: str) -> Any:
        return self._ini.get(name)

    def getoption(self, name: str, default: Any = None) -> Any:
        return self.get_verbosity() if name == "verbose" else default

    def get_terminal_writer(self) -> Any:
        return SimpleNamespace(_highlight=lambda source, lexer="python": source)


_config: Final[Any] = _Config()


def explain(op: str, left: object, right: object) -> str | None:
    """What pytest says about ``left op right`` being false, in the form that rewritten assertions take; None: nothing.

    pytest's inner functions are not ours to rely on. Without them an assertion still shows its values.
    """
    try:
        lines = _pytest.assertion.pytest_assertrepr_compare(config=_config, op=op, left=left, right=right)
    except Exception:  # noqa: BLE001 - of another pytest, or from the values' own code
        return None
    if not lines:
        return None
    if _config.get_verbosity() < 2 and len(lines) > _LINES + 2:
        lines = [*lines[:_LINES], "", "...Full output truncated, use '-vv' to show"]
    return "\n~".join(line.replace("\n", "\\n") for line in lines).replace("%", "%%")


def rewritten(path: str, loader: Any, name: str) -> CodeType | None:
    """The code of a test module with its assertions rewritten."""
    with open(path, "rb") as file:
        source = file.read()
    tree = ast.parse(source, path)
    _pytest.assertion.rewrite.rewrite_asserts(tree, source, path)
    return compile(tree, path, "exec", dont_inherit=True)


serialization_imports.code_of = rewritten
if util._config is None:  # not where pytest runs, which has its own
    util._config = _config
    util._reprcompare = explain
