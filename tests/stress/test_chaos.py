"""A job that checks its own answer, on a cluster of which parts are killed, stopped and cut off all the time.

What happens when is drawn from a seed, which the test's name tells. How long it lasts: ``RUSTYRAY_CHAOS_SECONDS`` (60).
The node on which the driver is stays; its workers, the other nodes and the head do not.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import rustyray
from rustyray.engines.native.processes import kernel
from rustyray.engines.native.standing import places, stopping
from rustyray.engines.native.standing.places import ProcessFile
from tests.integration.drivers import eventually
from tests.integration.standing.conftest import Commands

SECONDS = float(os.environ.get("RUSTYRAY_CHAOS_SECONDS", "60"))
#: Seconds that one round of the job may take, whatever happens meanwhile.
PATIENCE = 120.0
ROUND = 30


@rustyray.remote(max_retries=-1)
def large(number: int) -> bytes:
    """Goes through the store; made again where its node is lost."""
    return number.to_bytes(8, "little") * 40_000


@rustyray.remote(max_retries=-1)
def digest(number: int, value: bytes, other: bytes) -> int:
    assert value == number.to_bytes(8, "little") * 40_000
    return number * 1_000_003 + len(other)


@rustyray.remote(max_restarts=-1, max_task_retries=-1, num_cpus=0)
class Ledger:
    """Applies each entry once, however often it is told: what it has applied is in a file."""

    def __init__(self, path: str) -> None:
        self.path = path
        file = Path(path)
        self.applied = {int(line) for line in file.read_text().splitlines()} if file.exists() else set()

    def apply(self, number: int) -> int:
        if number not in self.applied:
            with open(self.path, "a") as file:
                file.write(f"{number}\n")
            self.applied.add(number)
        return number


class Chaos:
    """What goes wrong, drawn from ``seed``; ``done`` counts what did."""

    def __init__(self, commands: Commands, store: str, seed: int) -> None:
        self.commands = commands
        self.store = store
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.kinds: list[Callable[[], bool]] = [
            self.kill_worker,
            self.kill_worker,
            self.stop_worker,
            self.kill_node,
            self.stop_node,
            self.kill_head,
        ]
        if shutil.which("ss") is not None and os.geteuid() == 0:
            self.kinds.append(self.cut)

    def strike(self) -> None:
        kind = self.random.choice(self.kinds)
        self.done[kind.__name__] += kind()

    def kill_worker(self) -> bool:
        workers = [pid for node in self.nodes() for pid in children(node.pid)]
        if workers:
            _signal(self.random.choice(workers), signal.SIGKILL)
        return bool(workers)

    def stop_worker(self) -> bool:
        workers = [pid for node in self.nodes() for pid in children(node.pid)]
        if workers:
            self._stop(self.random.choice(workers))
        return bool(workers)

    def kill_node(self) -> bool:
        others = self.nodes()[1:]
        if others:
            victim = self.random.choice(others)
            _signal(victim.pid, signal.SIGKILL)
            assert kernel.wait_for_end(victim.pid, 10)
        self.commands.run("start", f"--address={self.commands.address}", "--num-cpus=1")
        return bool(others)

    def stop_node(self) -> bool:
        others = self.nodes()[1:]
        if others:
            self._stop(self.random.choice(others).pid)
        return bool(others)

    def kill_head(self) -> bool:
        head = self.commands.place().processes()[0]
        _signal(head.pid, signal.SIGKILL)
        assert kernel.wait_for_end(head.pid, 10)
        self.commands.run("start", "--head", f"--store={self.store}")
        return True

    def cut(self) -> bool:
        """The kernel resets all connections to the head, or to a node's workers, that there are at the moment."""
        port = self.commands.address.rpartition(":")[2]
        cut = subprocess.run(["ss", "-K", "dport", "=", port], capture_output=True, text=True, check=False)
        return cut.returncode == 0 and port in cut.stdout

    def _stop(self, pid: int) -> None:
        """It goes on after a while."""
        _signal(pid, signal.SIGSTOP)
        timer = threading.Timer(3.0 * self.random.random(), _signal, (pid, signal.SIGCONT))
        timer.daemon = True
        timer.start()

    def nodes(self) -> list[ProcessFile]:
        return [process for process in self.commands.place().processes() if process.node]


def children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(child) for child in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has ended by itself meanwhile


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    directory = tmp_path / "places"
    monkeypatch.setenv(places.DIRECTORY_VARIABLE, str(directory))
    yield Commands(str(directory))
    for place in places.places():
        stopping.stop(place, force=True)


def play_round(ledger: rustyray.ActorHandle[Ledger], first: int) -> None:
    """Some tasks that need one another's large values, and an entry for each."""
    numbers = range(first, first + ROUND)
    values = [large.remote(number) for number in numbers]
    digests = [
        digest.remote(number, value, other)
        for number, value, other in zip(numbers, values, [*values[1:], values[0]], strict=True)
    ]
    applied = [ledger.apply.remote(number) for number in numbers]
    assert rustyray.get(digests, timeout=PATIENCE) == [number * 1_000_003 + 320_000 for number in numbers]
    assert rustyray.get(applied, timeout=PATIENCE) == list(numbers)


@pytest.mark.timeout(SECONDS + 300)
@pytest.mark.rustyray(timeout=SECONDS + 300)
@pytest.mark.parametrize("seed", [int(os.environ.get("RUSTYRAY_CHAOS_SEED", "1"))])
def test_a_job_survives_all_of_it_with_the_right_answer(commands: Commands, tmp_path: Path, seed: int) -> None:
    store = f"sqlite:{tmp_path / 'head.db'}"
    commands.run("start", "--head", "--port=0", "--num-cpus=2", f"--store={store}")
    for _ in range(2):
        commands.run("start", f"--address={commands.address}", "--num-cpus=1")
    chaos = Chaos(commands, store, seed)
    path = str(tmp_path / "ledger")
    until = time.monotonic() + SECONDS
    entries = 0
    with rustyray.init(address=commands.address):
        ledger = Ledger.remote(path)
        while time.monotonic() < until:
            play_round(ledger, entries)
            entries += ROUND
            chaos.strike()
        play_round(ledger, entries)
        entries += ROUND
    applied = [int(line) for line in Path(path).read_text().splitlines()]
    assert sorted(applied) == list(range(entries)), "each entry is applied, and once"
    print(f"\nchaos, seed {seed}: {entries} entries in {SECONDS:g} s, {dict(chaos.done)}")
    running = [process.pid for process in commands.place().processes()]
    workers = [pid for process in running for pid in children(process)]
    commands.run("stop")
    assert eventually(lambda: not any(places.started(pid) for pid in [*running, *workers]))
    assert os.listdir(commands.directory) == []
