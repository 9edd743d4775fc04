"""Proof of work: miners search disjoint numbers, the first to find one wins, and the others are told to stop."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import count
from typing import TypeVar

import rustyray

T = TypeVar("T")


def zero_bits(block: bytes, nonce: int) -> int:
    """Returns how many zero bits the hash of a block with this nonce starts with."""
    digest = sha256(block + nonce.to_bytes(8, "big")).digest()
    return 256 - int.from_bytes(digest, "big").bit_length()


@rustyray.remote
def mine(block: bytes, difficulty: int, start: int, step: int) -> int:
    """Searches `start`, `start + step`, … for a nonce with `difficulty` zero bits; goes on until it finds one."""
    return next(nonce for nonce in count(start, step) if zero_bits(block, nonce) >= difficulty)


@rustyray.remote
def mine_together(block: bytes, difficulty: int, miners: int) -> int:
    """Starts miners of its own and returns the first nonce that one of them finds."""
    winner, _ = first_of([mine.remote(block, difficulty, start, miners) for start in range(miners)])
    return winner


def first_of(refs: Sequence[rustyray.ObjectRef[T]]) -> tuple[T, list[rustyray.ObjectRef[T]]]:
    """Returns the first value that is ready, and the refs of the other tasks, which are cancelled."""
    ready, losers = rustyray.wait(list(refs), num_returns=1)
    for loser in losers:
        rustyray.cancel(loser)
    return rustyray.get(ready[0]), losers
