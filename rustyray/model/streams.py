"""How plans, tasks and calls say that what they return is a stream of items: a number of returns below zero."""

from __future__ import annotations

from typing import Final

#: Items come one by one, as many as there are; the generator does not wait for whoever reads them.
STREAMING: Final = -1
#: Items come one by one; what is returned is one object that lists all of them, when they are all there.
DYNAMIC: Final = -2


def streaming(limit: int) -> int:
    """The number that stands for a stream of which at most ``limit`` items are made ahead; none for 0 or less."""
    return DYNAMIC - limit if limit > 0 else STREAMING


def limit_of(returns: int) -> int:
    """How many items may be made ahead; 0: any number."""
    return max(0, DYNAMIC - returns)
