"""The plugin loads by its name, costs next to nothing until a test asks for a runtime, and can be left out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.plugin.conftest import INSTALLED, Suite

USES_IT = """
    def test_it(rustyray_local):
        assert rustyray_local.address_info["address"]
"""


@pytest.mark.skipif(not INSTALLED, reason="the project is not installed here, so that its plugin has no entry point")
def test_its_entry_point_has_the_name_that_is_written_after_p(suite: Suite) -> None:
    result = suite.write(test_it=USES_IT).run("--strict-markers", plugins=("rustyray",))
    result.assert_outcomes(passed=1)


def test_it_can_be_left_out(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    result = suite.write(test_it=USES_IT).run(plugins=("no:rustyray", "no:asyncio"))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'rustyray_local' not found*"])


#: Modules that a run imports for the plugin which has no use for it: each costs it a quarter of a millisecond.
MODULES = 13


def test_a_run_without_runtimes_imports_the_plugin_s_own_few_modules_and_starts_no_process(suite: Suite) -> None:
    suite.write(
        conftest="""
            import sys
            def pytest_unconfigure():
                ours = [name for name in sys.modules if name.split(".")[0] in ("rustyray", "pytest_rustyray")]
                print("imported:", *sorted(ours))
        """,
        test_it="""
            import os
            import pytest

            @pytest.fixture
            def number():
                return 1

            def test_nothing(number, tmp_path):
                with pytest.raises(ChildProcessError):
                    os.waitpid(-1, os.WNOHANG)
        """,
    )
    result = suite.run("-s")
    result.assert_outcomes(passed=1)
    imported = next(line.split()[1:] for line in result.outlines if line.startswith("imported: "))
    assert "pytest_rustyray.plugin" in imported
    assert not [name for name in imported if name.split(".")[0] == "rustyray"]
    assert len(imported) <= MODULES, imported


def test_a_runtime_that_comes_up_in_the_middle_of_a_test_is_looked_after_from_then_on(suite: Suite) -> None:
    suite.write(
        test_it="""
            import sys
            import threading

            def test_first():
                assert "rustyray" not in sys.modules
                import rustyray
                rustyray.init(num_cpus=1)
                assert False

            def test_second():
                import rustyray
                with rustyray.init(num_cpus=1):
                    threading.Thread(target=threading.Event().wait, name="forgotten", daemon=True).start()
        """,
    )
    result = suite.run()
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*left behind, and put away: threads (1)*",
            "*thread 'forgotten'*",
            "*1 test left a runtime running*test_first*",
        ]
    )
    result.stdout.fnmatch_lines(["*again: pytest test_it.py::test_first*"])


def test_importing_it_imports_nothing_else() -> None:
    program = (
        "import json, sys, pytest; before = set(sys.modules); import pytest_rustyray.plugin; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported: list[str] = json.loads(done.stdout)
    assert "pytest_rustyray.plugin" in imported
    assert [name for name in imported if name.split(".")[0] != "pytest_rustyray"] == []


def test_markers_options_and_fixtures_are_listed_with_their_help(suite: Suite) -> None:
    suite.run("--markers").stdout.fnmatch_lines(
        ["@pytest.mark.rustyray(num_cpus=, *topology=*): the options of *", "@pytest.mark.unit: *"]
    )
    suite.run("--help").stdout.fnmatch_lines(
        ["RustyRay: *:", "*--rustyray-num-cpus=X*", "*(default: 2)*", "*rustyray_num_cpus (string):*"]
    )
    suite.run("--fixtures").stdout.fnmatch_lines(
        ["rustyray_local --*", "*this test's own*", "rustyray_shared*module scope*"]
    )


def test_the_header_tells_the_options_and_where_they_were_given(suite: Suite) -> None:
    result = suite.run("--rustyray-num-cpus=3", "--rustyray-resources=license=2")
    told = "num_cpus=3 (--rustyray-num-cpus), object_store_memory=256MiB, resources=license=2 (--rustyray-resources)"
    result.stdout.fnmatch_lines([f"rustyray: {told}"])


@pytest.fixture
def installed_as_files(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """As if a wheel was installed: pytest rewrites the assertions of all packages of a plugin's distribution."""
    folder = suite.folder / "site" / "rustyray-0.dist-info"
    folder.mkdir(parents=True)
    folder.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: rustyray\nVersion: 0\n")
    folder.joinpath("entry_points.txt").write_text("[pytest11]\nrustyray = pytest_rustyray.plugin\n")
    folder.joinpath("RECORD").write_text("rustyray/__init__.py,,\npytest_rustyray/__init__.py,,\n")
    paths = [str(folder.parent), str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    return suite


def test_an_installed_runtime_is_not_rewritten_by_pytest(installed_as_files: Suite) -> None:
    installed_as_files.write(
        test_it="""
            import sys

            def test_it(rustyray_local):
                loaders = {
                    type(module.__loader__).__name__
                    for name, module in sys.modules.items()
                    if name.partition(".")[0] == "rustyray"
                }
                assert loaders == {"SourceFileLoader"}
        """
    )
    installed_as_files.run(plugins=("rustyray",)).assert_outcomes(passed=1)


def test_a_runtime_that_was_imported_before_pytest_starts_is_no_reason_to_warn(
    installed_as_files: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed_as_files.write(test_it=USES_IT)
    program = (
        "import rustyray, pytest, sys; sys.exit(pytest.main(['-W', 'error', '-p', 'rustyray', '-p', 'no:asyncio']))"
    )
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.setenv("PYTEST_PLUGINS", "")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=installed_as_files.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
