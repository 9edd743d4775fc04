"""Conway's Game of Life, the board cut into strips, an actor each; before every step neighbours exchange their edges.

Edges are passed as refs from actor to actor: the driver says who needs which edge, and never sees one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import rustyray

Cells = npt.NDArray[np.int8]


def next_generation(cells: Cells) -> Cells:
    """Returns the next generation of a board whose edges are joined."""
    neighbours = sum(
        np.roll(cells, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)
    )
    return np.asarray((neighbours == 3) | ((cells == 1) & (neighbours == 2)), dtype=np.int8)


@rustyray.remote
class Strip:
    """Some rows of the board."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    @rustyray.method(num_returns=2)
    def edges(self) -> tuple[Cells, Cells]:
        """Returns the first and the last row, as two objects."""
        return self._cells[0].copy(), self._cells[-1].copy()

    def step(self, above: Cells, below: Cells) -> None:
        """Moves on by one generation, given the rows next to this strip."""
        self._cells = next_generation(np.vstack([above, self._cells, below]))[1:-1]

    def cells(self) -> Cells:
        """Returns the rows."""
        return self._cells


def play(board: Cells, generations: int, strips: int) -> Cells:
    """Plays some generations with the board spread over `strips` actors."""
    actors = [Strip.remote(rows) for rows in np.array_split(board, strips)]
    for _ in range(generations):
        edges = [actor.edges.remote() for actor in actors]
        for number, actor in enumerate(actors):
            actor.step.remote(edges[number - 1][1], edges[(number + 1) % strips][0])
    rows = rustyray.get([actor.cells.remote() for actor in actors])
    return np.vstack(rows)
