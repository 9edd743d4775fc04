"""Working sets far above what a store holds, while workers die."""

from __future__ import annotations

import os
import random
import signal

import numpy as np
import pytest

import rustyray

MB = 1 << 20
BLOCK = 2 * MB
#: Ten times the store.
BLOCKS = 80
STORE = 16 * MB

Block = np.ndarray[tuple[int], np.dtype[np.uint8]]


@rustyray.remote(max_retries=-1)
def add(one: Block, other: Block, dies: bool) -> Block:
    if dies and random.random() < 0.5:
        os.kill(os.getpid(), signal.SIGKILL)
    return one + other


@pytest.mark.parametrize("seed", range(3))
def test_a_store_of_a_tenth_of_the_working_set(seed: int) -> None:
    """Blocks are added at random, by tasks some of which die; a list of numbers tells what each must be."""
    dice = random.Random(seed)
    with rustyray.init(num_cpus=2, object_store_memory=STORE):
        numbers = [dice.randrange(256) for _ in range(BLOCKS)]
        refs = [rustyray.put(np.full(BLOCK, number, np.uint8)) for number in numbers]
        for _ in range(300):
            one, other, into = (dice.randrange(BLOCKS) for _ in range(3))
            refs[into] = add.remote(refs[one], refs[other], dice.random() < 0.1)
            numbers[into] = (numbers[one] + numbers[other]) % 256
            if dice.random() < 0.2:
                looked = dice.randrange(BLOCKS)
                assert int(rustyray.get(refs[looked], timeout=100)[dice.randrange(BLOCK)]) == numbers[looked]
        for ref, number in zip(refs, numbers, strict=True):
            block = rustyray.get(ref, timeout=100)
            assert (block == number).all()
            del block
