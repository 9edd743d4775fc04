"""Every program in the documentation runs as a reader would run it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docblocks import Program, pages, programs

ROOT = Path(__file__).parents[2]
PROGRAMS = [
    program
    for page in pages(ROOT)
    for program in programs(str(page.relative_to(ROOT)), page.read_text(encoding="utf-8"))
]
#: What a reader has: of the plugins that are installed here, those that come with RustyRay or that a page names.
PLUGINS = ["rustyray", "xdist.plugin", "_hypothesis_pytestplugin", "no:cacheprovider"]
#: A fifth of what a reader's Hypothesis tries.
SHORT = """
from hypothesis import settings
settings.register_profile("short", max_examples=20)
settings.load_profile("short")
"""


def run(program: Program, folder: Path) -> subprocess.CompletedProcess[str]:
    if program.holds_tests:
        script = folder / "test_page.py"
        if "hypothesis" in program.source or "Machine" in program.source:
            (folder / "conftest.py").write_text(SHORT)
        plugins = [word for name in PLUGINS for word in ("-p", name)]
        command = [sys.executable, "-m", "pytest", "-q", *plugins, script.name]
    else:
        script = folder / "page.py"
        command = [sys.executable, script.name]
    # Blank lines first, so that a traceback names the page's lines.
    script.write_text("\n" * (program.line - 1) + program.source, encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_program(program: Program, tmp_path: Path) -> None:
    done = run(program, tmp_path)
    assert done.returncode == 0, f"{program}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize(
    ("source", "told"),
    [("assert False\n", 'page.py", line 12'), ("def test_x():\n    assert False\n", "test_page.py:13: AssertionError")],
)
def test_a_program_that_fails_is_told_with_its_line(source: str, told: str, tmp_path: Path) -> None:
    done = run(Program("page.md", 12, source), tmp_path)
    assert done.returncode == 1
    assert told in done.stdout + done.stderr
