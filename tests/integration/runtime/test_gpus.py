"""GPUs are handed out by number, and shown to the user's code as CUDA finds them."""

from __future__ import annotations

import os
from typing import Any

import pytest

import rustyray
from tests.integration.runtime.conftest import Start


def seen() -> tuple[list[Any], str | None]:
    return rustyray.get_gpu_ids(), os.environ.get("CUDA_VISIBLE_DEVICES")


def same_process(pids: set[int], with_gpus: float = 0) -> Any:
    """A task for the one worker that there is."""

    @rustyray.remote(num_cpus=1, num_gpus=with_gpus, max_calls=0)
    def looks() -> tuple[int, list[Any], str | None]:
        return (os.getpid(), *seen())

    pid, *rest = rustyray.get(looks.remote(), timeout=60)
    pids.add(pid)
    return rest


def test_the_variable_is_that_of_the_task_at_hand(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    start(num_cpus=1, num_gpus=2)
    pids: set[int] = set()
    assert same_process(pids) == [[], None]
    assert same_process(pids, 2) == [[0, 1], "0,1"]
    assert same_process(pids) == [[], None]
    assert same_process(pids, 0.5) == [[0], "0"]
    assert len(pids) == 1, "one process had GPUs and then none"
    assert seen() == ([], None), "the driver has none"


@pytest.mark.parametrize(
    ("given", "whole", "half"),
    [
        ("4,GPU-7f", [["4", "GPU-7f"], "4,GPU-7f"], [["4"], "4"]),
        ("5", [["5"], "5"], [["5"], "5"]),
        ("", [[], ""], [[], ""]),
    ],
)
def test_devices_that_were_chosen_before_are_named(
    start: Start, monkeypatch: pytest.MonkeyPatch, given: str, whole: list[Any], half: list[Any]
) -> None:
    """As in Ray; where fewer were chosen than the node was said to have, all of them are."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    start(num_cpus=1, num_gpus=2)
    pids: set[int] = set()
    assert same_process(pids, 2) == whole
    assert same_process(pids, 0.5) == half
    assert same_process(pids) == [[], given]


def test_who_chooses_devices_for_themselves_is_left_alone(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES", "1")
    start(num_cpus=1, num_gpus=1)
    assert same_process(set(), 1) == [[0], None]


def test_a_restarted_actor_has_gpus_again(start: Start) -> None:
    start(num_gpus=1)

    @rustyray.remote(num_gpus=1, max_restarts=1, max_task_retries=1)
    class Holder:
        def __init__(self) -> None:
            self.first = seen()

        def die_once(self) -> tuple[list[Any], str | None]:
            if not rustyray.get_runtime_context().was_current_actor_reconstructed:
                os._exit(1)
            assert self.first == seen()
            return self.first

        async def late(self) -> tuple[list[Any], str | None]:
            return seen()

    holder = Holder.remote()
    assert rustyray.get(holder.die_once.remote(), timeout=60) == ([0], "0")
    assert rustyray.get(holder.late.remote(), timeout=60) == ([0], "0")
    rustyray.kill(holder)
    assert same_process(set(), 1)[0] == [0]
