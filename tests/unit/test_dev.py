"""dev.py decides rightly when to install, and refuses clearly where it cannot run."""

import ast
import fcntl
import sys
from pathlib import Path

import pytest

import dev


@pytest.fixture
def venv(tmp_path: Path) -> dev.Venv:
    """An environment as dev.py leaves it, made without pip."""
    tmp_path.joinpath("pyproject.toml").write_text("[project]")
    tmp_path.joinpath("constraints.txt").write_text("numpy==1")
    venv = dev.Venv(tmp_path)
    python = Path(venv.python)
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    venv.lock.touch()
    dev.write(venv.path / "dev.stamp", venv.wanted())
    return venv


@pytest.fixture
def done(venv: dev.Venv, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records what `ensure` does instead of doing it."""
    steps: list[str] = []
    monkeypatch.setattr(venv, "create", lambda lock: steps.append("create"))
    monkeypatch.setattr(venv, "install", lambda extra, lock: steps.append(extra))
    return steps


def test_an_up_to_date_environment_is_left_alone(venv: dev.Venv, done: list[str]) -> None:
    venv.lock.unlink()
    venv.ensure("dev")
    assert done == []
    assert not venv.lock.exists()


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_file_brings_an_update(name: str, venv: dev.Venv, done: list[str]) -> None:
    with venv.root.joinpath(name).open("a") as file:
        file.write("#")
    venv.ensure("dev")
    assert done == ["dev"]


def test_another_interpreter_makes_it_anew(venv: dev.Venv, done: list[str]) -> None:
    venv.interpreter = "another"
    venv.ensure("dev")
    assert done == ["create", "dev"]


@pytest.mark.parametrize("lost", ["bin/python", "dev.stamp"])
def test_a_lost_part_makes_it_anew(lost: str, venv: dev.Venv, done: list[str]) -> None:
    venv.path.joinpath(lost).unlink()
    venv.ensure("dev")
    assert done == ["create", "dev"]


def test_an_interrupted_update_makes_it_anew(venv: dev.Venv, done: list[str]) -> None:
    dev.write(venv.path / "dev.stamp", "")
    dev.write(venv.installing, "")
    venv.ensure("dev")
    assert done == ["create", "dev"]


def test_bench_comes_on_top_and_only_once(venv: dev.Venv, done: list[str]) -> None:
    venv.ensure("bench")
    assert done == ["bench"]
    dev.write(venv.path / "bench.stamp", venv.wanted())
    venv.ensure("bench")
    assert done == ["bench"]


def test_an_interrupted_bench_leaves_dev_ready_and_is_made_anew(venv: dev.Venv, done: list[str]) -> None:
    dev.write(venv.installing, "")
    venv.ensure("dev")
    assert done == []
    venv.ensure("bench")
    assert done[0] == "create"


def test_an_environment_of_somebody_else_is_refused(venv: dev.Venv, done: list[str]) -> None:
    venv.lock.unlink()
    venv.path.joinpath("dev.stamp").unlink()
    venv.path.joinpath("pyvenv.cfg").touch()
    with pytest.raises(SystemExit, match=r"was not made by dev\.py"):
        venv.ensure("dev")
    assert done == []


def test_the_lock_holds_out_a_second_call(venv: dev.Venv) -> None:
    with dev.locked(venv.lock), venv.lock.open("a") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with venv.lock.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_an_update_by_another_call_is_not_repeated(
    venv: dev.Venv, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, True])
    monkeypatch.setattr(venv, "ready", lambda extra: next(answers))
    venv.ensure("dev")
    assert done == []


def test_pip_comes_by_the_first_way_that_works(venv: dev.Venv, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def quietly(command: list[str], lock: int, extra_env: dict[str, str] | None = None) -> tuple[int, str]:
        ran.append(command)
        return (1, "No module named ensurepip") if "ensurepip" in command else (0, "")

    monkeypatch.setattr(dev, "quietly", quietly)
    with dev.locked(venv.lock) as lock:
        venv.create(lock)
    assert ["--python" in command for command in ran] == [False, True, False]
    assert venv.installing.exists()
    assert not venv.ready("dev")


def test_no_way_to_get_pip_is_said_with_each_cause(venv: dev.Venv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "quietly", lambda *_: (1, "some output\nthe cause\n"))
    with dev.locked(venv.lock) as lock, pytest.raises(SystemExit, match="python3-venv") as told:
        venv.create(lock)
    assert "ensurepip: the cause" in str(told.value)


def test_a_failed_install_shows_what_pip_said_and_is_not_taken_for_done(
    venv: dev.Venv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "quietly", lambda *_: (1, "no such version"))
    with dev.locked(venv.lock) as lock, pytest.raises(SystemExit, match="no such version"):
        venv.install("dev", lock)
    assert not venv.ready("dev")
    assert not venv.sound()


def test_old_pythons_and_windows_are_refused() -> None:
    assert dev.refusal((3, 11), "linux") is None
    assert dev.refusal((3, 14), "darwin") is None
    assert "Python 3.11 or newer, and this is Python 3.10" in str(dev.refusal((3, 10), "linux"))
    assert "does not support Windows" in str(dev.refusal((3, 12), "win32"))


def test_an_old_python_can_read_as_far_as_the_refusal() -> None:
    ast.parse(Path(dev.__file__).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_arguments_that_name_files_replace_the_folders() -> None:
    assert dev.pytest_options(["tests/unit"], ["-k", "x"])[-3:] == ["tests/unit", "-k", "x"]
    assert dev.pytest_options(["tests/unit"], ["dev.py::test_x"])[-2:] == ["300", "dev.py::test_x"]


def test_check_runs_every_step_and_ends_with_the_first_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses = iter([0, 3, 0, 4])
    ran: list[str] = []

    def run_step(name: str, command: list[str], *, show: bool) -> int:
        ran.append(name)
        return next(statuses)

    monkeypatch.setattr(dev, "run_step", run_step)
    monkeypatch.setattr(dev.Venv, "ensure", lambda self, extra: None)
    monkeypatch.setattr(dev, "CHECKS", {name: ["-c", ""] for name in "abcd"})
    assert dev.main(["check"]) == 3
    assert ran == ["a", "b", "c", "d"]


def test_an_interrupted_check_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run_step(name: str, command: list[str], *, show: bool) -> int:
        ran.append(name)
        return dev.INTERRUPTED

    monkeypatch.setattr(dev, "run_step", run_step)
    monkeypatch.setattr(dev.Venv, "ensure", lambda self, extra: None)
    assert dev.main(["check"]) == dev.INTERRUPTED
    assert len(ran) == 1


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["--help"]])
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main(arguments) == (0 if arguments == ["--help"] else 2)
    assert "python3 dev.py demo" in capsys.readouterr().out
