"""Pauses between retries, in virtual time."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

import rustyray


@pytest.mark.parametrize(
    ("backoff", "pauses"), [(1.0, [1, 2, 4]), ((1.0, 3.0, 5.0), [1, 3, 5]), (0.0, [0, 0, 0])], ids=str
)
def test_a_task_that_fails_is_tried_again_after_pauses_that_grow(
    tmp_path: Path, backoff: float | tuple[float, float, float], pauses: list[float]
) -> None:
    seen = tmp_path / "times"

    @rustyray.remote(max_retries=3, retry_exceptions=True, retry_backoff=backoff)
    def fail() -> None:
        with seen.open("a") as file:
            print(time.monotonic(), file=file)
        raise OSError("not yet")

    with rustyray.init(engine="sim"), pytest.raises(OSError, match="not yet"):
        rustyray.get(fail.remote())
    times = [float(line) for line in seen.read_text().splitlines()]
    between = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(between) == 3
    for got, most in zip(between, pauses, strict=True):
        assert most / 2 <= got <= most + 0.1
