"""The plugin looks at modules of the runtime by name, once they are loaded: a name that is none would find nothing."""

import importlib.util
import re
from pathlib import Path

import pytest_rustyray

NAMED = re.compile(r"""sys\.modules(?:\.get\(|\[)"(rustyray[\w.]*)"|runtime_module\("([\w.]+)"\)""")


def test_all_are_there() -> None:
    found = {
        whole or f"rustyray.{inner}"
        for path in Path(pytest_rustyray.__path__[0]).rglob("*.py")
        for whole, inner in NAMED.findall(path.read_text())
    }
    assert len(found) >= 8
    assert [name for name in sorted(found) if importlib.util.find_spec(name) is None] == []
