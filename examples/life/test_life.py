"""The board evolves as it does in one piece, wherever it is cut."""

from __future__ import annotations

import numpy as np
import pytest

from examples.life.strips import next_generation, play

pytestmark = [pytest.mark.usefixtures("rustyray_local"), pytest.mark.rustyray(num_cpus=2)]


@pytest.mark.parametrize("strips", [1, 3])
def test_a_random_board_evolves_as_in_one_piece(strips: int) -> None:
    board = np.random.default_rng(7).integers(0, 2, size=(48, 64), dtype=np.int8)
    expected = board
    for _ in range(12):
        expected = next_generation(expected)
    np.testing.assert_array_equal(play(board, 12, strips), expected)


def test_a_glider_crosses_every_cut() -> None:
    board = np.zeros((12, 12), dtype=np.int8)
    board[:3, :3] = [[0, 1, 0], [0, 0, 1], [1, 1, 1]]
    np.testing.assert_array_equal(play(board, 24, strips=4), np.roll(board, (6, 6), (0, 1)))
