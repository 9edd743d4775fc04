"""dev.py runs its steps as it says: one line each, output where it is due, signals handed on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import dev


def test_a_step_shows_its_output_only_where_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    program = "import sys; print('said'); sys.exit(int(sys.argv[1]))"
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert dev.run_step("good", [sys.executable, "-c", program, "0"], show=False) == 0
        assert capsys.readouterr().out.split()[:2] == ["ok", "good"]
        assert dev.run_step("bad", [sys.executable, "-c", program, "7"], show=False) == 7
        assert capsys.readouterr().out.split()[:3] == ["said", "FAIL", "bad"]
        assert dev.run_step("dead", [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], show=False) == 137
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_ctrl_c_lets_the_child_end_in_its_own_way_and_ends_with_its_status() -> None:
    child = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, lambda *_: (print('tidied up', flush=True), sys.exit(2)))\n"
        "print('ready', flush=True)\n"
        "signal.pause()"
    )
    parent = f"import dev, sys; sys.exit(dev.run_step('x', [sys.executable, '-c', {child!r}], show=True))"
    process = subprocess.Popen(
        [sys.executable, "-c", parent],
        cwd=Path(dev.__file__).parent,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.read().split()[:4] == ["tidied", "up", "FAIL", "x"]
    assert process.returncode == 2


def test_the_set_up_inherits_the_lock_so_that_it_outlives_a_killed_dev(tmp_path: Path) -> None:
    lock = tmp_path / "dev.lock"
    with dev.locked(lock) as held:
        status, said = dev.quietly([sys.executable, "-c", f"import os; print(os.fstat({held}).st_ino)"], held)
    assert (status, said.strip()) == (0, str(lock.stat().st_ino))
