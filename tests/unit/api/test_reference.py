"""The reference has every public name, option and exception."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rustyray
from rustyray import exceptions
from rustyray.model import settings
from rustyray.model.options import OPTIONS, Scope

PAGES = Path(__file__).parents[3] / "docs" / "reference"


def code_in(page: str) -> set[str]:
    """All words inside backticks or code blocks."""
    text = (PAGES / page).read_text()
    return {word for code in re.findall(r"```.*?```|`[^`]+`", text, re.DOTALL) for word in re.findall(r"\w+", code)}


def test_every_public_name_is_there() -> None:
    everywhere = set().union(*(code_in(page.name) for page in PAGES.glob("*.md")))
    internal = {"__version__", "exceptions", "ActorMethod", "RemoteFunction", "RuntimeContext", "Session"}
    assert set(rustyray.__all__) - internal <= everywhere


@pytest.mark.parametrize(
    ("page", "scopes"), [("tasks.md", Scope.TASK), ("actors.md", Scope.ACTOR | Scope.METHOD)], ids=["tasks", "actors"]
)
def test_every_option_is_there(page: str, scopes: Scope) -> None:
    assert {name for name, option in OPTIONS.items() if scopes & option.scopes} <= code_in(page)


def test_every_option_of_init_is_there() -> None:
    assert {name for name in settings.VALID if not name.startswith("_")} <= code_in("runtime.md")


def test_every_exception_is_there() -> None:
    assert set(exceptions.__all__) <= code_in("errors.md")
