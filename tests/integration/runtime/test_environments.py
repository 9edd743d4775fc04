"""Runtime environments: variables, folders, modules and hooks of workers, and who has which."""

from __future__ import annotations

import glob
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

import rustyray
from rustyray.exceptions import ActorDiedError, RuntimeEnvSetupError
from rustyray.job_config import JobConfig
from rustyray.runtime_env import RuntimeEnv
from tests.integration.runtime.conftest import Start


@rustyray.remote
def variable(name: str) -> str | None:
    return os.environ.get(name)


@rustyray.remote
def variables(*names: str) -> list[str | None]:
    return [os.environ.get(name) for name in names]


@rustyray.remote
def nested(names: list[str], env: dict[str, Any]) -> list[str | None]:
    child = variables.options(runtime_env=env) if env else variables
    found: list[str | None] = rustyray.get(child.remote(*names))
    return found


@rustyray.remote
class Reader:
    def variable(self, name: str) -> str | None:
        return os.environ.get(name)

    def nested(self, name: str) -> str | None:
        return rustyray.get(variable.remote(name))


def env(**variables: str) -> RuntimeEnv:
    return RuntimeEnv(env_vars=variables)


@pytest.mark.usefixtures("local")
class TestVariables:
    def test_they_are_there_while_a_task_or_an_actor_runs(self) -> None:
        assert rustyray.get(variable.remote("RR_COLOUR")) is None
        blue = variable.options(runtime_env=env(RR_COLOUR="blue"))
        red = variable.options(runtime_env=env(RR_COLOUR="red"))
        assert rustyray.get([blue.remote("RR_COLOUR"), red.remote("RR_COLOUR")]) == ["blue", "red"]
        assert rustyray.get(variable.remote("RR_COLOUR")) is None, "a worker of another environment was used"
        reader = Reader.options(runtime_env={"env_vars": {"RR_COLOUR": "green"}}).remote()
        assert rustyray.get([reader.variable.remote("RR_COLOUR"), reader.nested.remote("RR_COLOUR")]) == ["green"] * 2
        assert "RR_COLOUR" not in os.environ

    def test_children_have_their_parents_and_their_own(self) -> None:
        names = ["RR_A", "RR_B", "RR_C"]
        parent = nested.options(runtime_env=env(RR_A="1", RR_B="2"))
        assert rustyray.get(parent.remote(names, {})) == ["1", "2", None]
        assert rustyray.get(parent.remote(names, env(RR_B="3", RR_C="4"))) == ["1", "3", "4"]

    def test_a_value_may_refer_to_what_was_there(self) -> None:
        os.environ["RR_PATH"] = "/old"
        try:
            rustyray.shutdown()
            rustyray.init(num_cpus=1)
            found = rustyray.get(variable.options(runtime_env=env(RR_PATH="/new:${RR_PATH}")).remote("RR_PATH"))
        finally:
            del os.environ["RR_PATH"]
        assert found == "/new:/old"

    def test_equal_environments_share_workers(self) -> None:
        pid = rustyray.remote(os.getpid)
        one = pid.options(runtime_env=env(RR_A="1", RR_B="2"))
        other = pid.options(runtime_env=env(RR_B="2", RR_A="1"))
        assert rustyray.get(one.remote()) == rustyray.get(other.remote())

    def test_what_a_process_has_can_be_read(self) -> None:
        @rustyray.remote(runtime_env=env(RR_A="1"))
        def own() -> tuple[dict[str, str], str]:
            here = rustyray.get_runtime_context()
            return here.runtime_env.env_vars(), here.get_runtime_env_string()

        assert rustyray.get(own.remote()) == ({"RR_A": "1"}, '{"env_vars": {"RR_A": "1"}}')
        assert rustyray.get_runtime_context().runtime_env == {}


@pytest.mark.usefixtures("local")
class TestHooks:
    def test_one_runs_before_anything_else(self) -> None:
        def prepare() -> None:
            os.environ["RR_HOOKED"] = os.environ["RR_A"] + "!"

        hooked = RuntimeEnv(env_vars={"RR_A": "1"}, worker_process_setup_hook=prepare)
        assert rustyray.get(variable.options(runtime_env=hooked).remote("RR_HOOKED")) == "1!"

    def test_one_that_raises_fails_what_was_to_run(self) -> None:
        def fail() -> None:
            raise KeyError("no such thing")

        broken = RuntimeEnv(worker_process_setup_hook=fail)
        with pytest.raises(RuntimeEnvSetupError, match="KeyError: 'no such thing'"):
            rustyray.get(variable.options(runtime_env=broken, max_retries=2).remote("RR_A"))
        reader = Reader.options(runtime_env=broken).remote()
        with pytest.raises(ActorDiedError, match="KeyError: 'no such thing'"):
            rustyray.get(reader.variable.remote("RR_A"))
        assert rustyray.get(variable.remote("RR_A")) is None

    def test_one_may_be_named(self) -> None:
        named = RuntimeEnv(worker_process_setup_hook="tests.integration.runtime.test_environments.mark")
        assert rustyray.get(variable.options(runtime_env=named).remote("RR_MARK")) == "set"
        nowhere = RuntimeEnv(worker_process_setup_hook="tests.nowhere.mark")
        with pytest.raises(RuntimeEnvSetupError, match=r"No module named 'tests\.nowhere'"):
            rustyray.get(variable.options(runtime_env=nowhere).remote("RR_MARK"))


def mark() -> None:
    os.environ["RR_MARK"] = "set"


def test_a_program_may_have_one(start: Start) -> None:
    start(runtime_env=env(RR_A="1", RR_B="2"))
    assert rustyray.get(variables.remote("RR_A", "RR_B")) == ["1", "2"]
    assert rustyray.get(variables.options(runtime_env=env(RR_B="3")).remote("RR_A", "RR_B")) == ["1", "3"]
    assert rustyray.get_runtime_context().runtime_env == {"env_vars": {"RR_A": "1", "RR_B": "2"}}
    assert "RR_A" not in os.environ


def test_job_and_driver_must_not_differ(start: Start) -> None:
    job = JobConfig(runtime_env=env(RR_A="1"), ray_namespace="there")
    with pytest.raises(ValueError, match=r"conflict in env_vars\['RR_A'\]"):
        start(job_config=job, runtime_env=env(RR_A="2"))
    with pytest.raises(ValueError, match="namespace is 'there' and that of init"):
        start(job_config=job, namespace="here")
    assert not rustyray.is_initialized()
    session = start(job_config=job, runtime_env=env(RR_B="2"))
    assert session.namespace == "there"
    assert rustyray.get(variables.remote("RR_A", "RR_B")) == ["1", "2"]


# --- folders ----------------------------------------------------------------------------------------------------------


@rustyray.remote
def read(path: str) -> str:
    return Path(path).read_text()


@rustyray.remote
def imported(module: str) -> str:
    value: str = __import__(module).VALUE
    return value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.txt").write_text("alpha")
    (folder / "data" / "secret.txt").write_text("hidden")
    (folder / "rr_inside.py").write_text("VALUE = 'from the folder'\n")
    return folder


def left(tmp_path: Path) -> list[str]:
    """Folders with packages of runtimes that spill there, which is where they unpack, too."""
    return glob.glob(str(tmp_path / "rustyray-*"))


@pytest.mark.native_only("a simulated runtime is one process, which has one directory")
class TestFolders:
    def test_workers_run_in_a_copy(self, engine: str, folder: Path, tmp_path: Path) -> None:
        rustyray.init(engine=engine, num_cpus=2, num_nodes=2, object_spilling_directory=str(tmp_path))
        there = RuntimeEnv(working_dir=str(folder), excludes=["secret.txt"])
        inside = read.options(runtime_env=there, scheduling_strategy="SPREAD")
        assert rustyray.get([inside.remote("data/a.txt") for _ in range(4)]) == ["alpha"] * 4
        assert rustyray.get(imported.options(runtime_env=there).remote("rr_inside")) == "from the folder"
        with pytest.raises(FileNotFoundError):
            rustyray.get(inside.options(max_retries=0).remote("data/secret.txt"))
        cwd = rustyray.get(rustyray.remote(os.getcwd).options(runtime_env=there).remote())
        assert cwd != str(folder)
        assert os.path.isdir(cwd)
        assert os.getcwd() == rustyray.get(rustyray.remote(os.getcwd).remote())
        assert os.path.dirname(cwd) in left(tmp_path)
        rustyray.shutdown()
        assert left(tmp_path) == []

    def test_zips_modules_and_wheels(self, start: Start, folder: Path, tmp_path: Path) -> None:
        archive = tmp_path / "project.zip"
        with zipfile.ZipFile(archive, "w") as written:
            written.writestr("b.txt", "beta")
        wheel = tmp_path / "rr_wheel-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as written:
            written.writestr("rr_wheel/__init__.py", "VALUE = 'from the wheel'\n")
        package = tmp_path / "rr_package"
        package.mkdir()
        (package / "__init__.py").write_text("VALUE = 'from the package'\n")
        start(runtime_env={"working_dir": str(archive)})
        assert rustyray.get(read.remote("b.txt")) == "beta"
        modules = {"py_modules": [str(package), str(wheel), str(folder / "rr_inside.py")]}
        values = [imported.options(runtime_env=modules).remote(n) for n in ("rr_package", "rr_wheel", "rr_inside")]
        assert rustyray.get(values) == ["from the package", "from the wheel", "from the folder"]
        assert rustyray.get(read.options(runtime_env=modules).remote("b.txt")) == "beta", "the directory is inherited"

    def test_an_empty_folder_is_one(self, start: Start, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        start(runtime_env={"working_dir": str(tmp_path / "empty")})
        assert rustyray.get(rustyray.remote(os.listdir).remote()) == []

    def test_nothing_is_left_of_a_node_that_was_killed(self, start: Start, folder: Path, tmp_path: Path) -> None:
        start(runtime_env={"working_dir": str(folder)}, object_spilling_directory=str(tmp_path))
        pid = rustyray.get(rustyray.remote(os.getppid).remote())
        assert left(tmp_path) != []
        os.kill(pid, 9)
        rustyray.shutdown()
        assert left(tmp_path) == []

    def test_a_folder_that_is_not_there_fails_at_once(self, start: Start, tmp_path: Path) -> None:
        with pytest.raises(RuntimeEnvSetupError, match="nowhere is no folder and no zip file"):
            start(runtime_env={"working_dir": str(tmp_path / "nowhere")})
        assert not rustyray.is_initialized()
        start()
        with pytest.raises(RuntimeEnvSetupError, match="nowhere is no folder and no zip file"):
            read.options(runtime_env={"py_modules": [str(tmp_path / "nowhere")]}).remote("x")


def test_the_simulator_says_that_it_has_one_directory(folder: Path) -> None:
    with rustyray.init(engine="sim"), pytest.raises(RuntimeEnvSetupError, match="working_dir and py_modules cannot"):
        read.options(runtime_env={"working_dir": str(folder)}).remote("x")
