"""A progress board under a well-known name: whoever has work to report finds it, and nobody passes handles around."""

from __future__ import annotations

from collections import Counter

import rustyray

NAME = "progress"


@rustyray.remote(num_cpus=0)
class Board:
    """Counts what is done, by kind of work."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._done: Counter[str] = Counter()

    def report(self, kind: str, amount: int = 1) -> int:
        """Adds to the work done and returns how much of its kind there is now."""
        self._done[kind] += amount
        return self._done[kind]

    def summary(self) -> str:
        """Returns one line about everything."""
        return f"{self._title}: " + ", ".join(f"{kind} {amount}" for kind, amount in sorted(self._done.items()))


def open_board(title: str) -> rustyray.ActorHandle[Board]:
    """Returns the board, made with this title if there is none yet; it lives as long as its maker holds the handle."""
    return Board.options(name=NAME, get_if_exists=True).remote(title)


@rustyray.remote
def check(number: int) -> bool:
    """Tells whether a number is prime, and reports to the board what it did."""
    prime = number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))
    board = rustyray.get_actor(NAME)
    rustyray.get(board.report.remote("primes" if prime else "others"))
    return prime
