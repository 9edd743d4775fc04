"""Runtime environments that ``init`` is told: of all of a program's workers."""

import os
from importlib import import_module

import pytest

from rustyray.testing.conformance.helpers import got

TOPOLOGY = "own"


def _variables(api, **options):
    @api.remote(**({"num_cpus": 1} | options))
    def variables(*names):
        return [os.environ.get(name) for name in names]

    return variables


def _env(**variables):
    return {"env_vars": variables}


def a_program_has_one(api, start):
    """``init(runtime_env=…)`` is for all tasks and actors; the driver's own process is not changed."""
    start(runtime_env=_env(CONFORM_A="1"))
    assert got(api, _variables(api).remote("CONFORM_A")) == ["1"]
    assert "CONFORM_A" not in os.environ
    assert api.get_runtime_context().runtime_env["env_vars"] == {"CONFORM_A": "1"}


def a_programs_variables_are_merged(api, start):
    """A task's ``env_vars`` are added to the program's."""
    start(runtime_env=_env(CONFORM_A="1", CONFORM_B="2"))
    asks = _variables(api, runtime_env=_env(CONFORM_B="3"))
    assert got(api, asks.remote("CONFORM_A", "CONFORM_B")) == ["1", "3"]


def a_hook_runs_first(api, start):
    """``worker_process_setup_hook`` runs in each worker before anything else, with the ``env_vars``."""

    def prepare():
        os.environ["CONFORM_HOOKED"] = os.environ["CONFORM_A"] + "!"

    start(runtime_env={**_env(CONFORM_A="1"), "worker_process_setup_hook": prepare})
    assert got(api, _variables(api).remote("CONFORM_HOOKED")) == ["1!"]


def a_working_dir_is_a_copy(api, start, tmp_path):
    """``working_dir`` is a folder in a copy of which the workers run, and from which they import."""
    (tmp_path / "data.txt").write_text("the data")
    (tmp_path / "conform_module.py").write_text("VALUE = 42")
    start(runtime_env={"working_dir": str(tmp_path)})

    @api.remote
    def reads():
        with open("data.txt") as file:
            return file.read(), import_module("conform_module").VALUE, os.getcwd()

    data, value, where = got(api, reads.remote())
    assert (data, value) == ("the data", 42)
    assert where != str(tmp_path)


def what_is_excluded_is_left_out(api, start, tmp_path):
    """The copy of ``working_dir`` lacks what patterns in ``excludes``, ``.gitignore`` and ``.rayignore`` say."""
    for name in ("kept.txt", "left.log", "left.tmp", "left.png"):
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text("*.tmp\n")
    (tmp_path / ".rayignore").write_text("*.png\n")
    start(runtime_env={"working_dir": str(tmp_path), "excludes": ["*.log"]})

    @api.remote
    def names():
        return os.listdir(".")

    assert sorted(got(api, names.remote())) == [".gitignore", ".rayignore", "kept.txt"]


def py_modules_can_be_imported(api, start, tmp_path):
    """``py_modules`` are folders of packages that the workers can import."""
    package = tmp_path / "conform_package"
    package.mkdir()
    (package / "__init__.py").write_text("VALUE = 7")
    start(runtime_env={"py_modules": [str(package)]})

    @api.remote
    def reads():
        return import_module("conform_package").VALUE

    assert got(api, reads.remote()) == 7


def a_folder_that_is_not_there(api, start, tmp_path):
    """A ``working_dir`` that is not there raises an error of ``init``."""
    with pytest.raises((ValueError, api.exceptions.RuntimeEnvSetupError)):
        start(runtime_env={"working_dir": str(tmp_path / "nowhere")})


def an_environment_ends_with_its_runtime(api, start):
    """The next runtime has nothing of the environment before."""
    start(runtime_env=_env(CONFORM_A="1"))
    api.shutdown()
    start()
    assert got(api, _variables(api).remote("CONFORM_A")) == [None]
