"""Iterators whose items are made by actors, side by side (module path and names as in Ray, where it is deprecated).

making.py    ``from_items``, ``from_range``, ``from_iterators``, ``from_actors``
parallel.py  ``ParallelIterator``: what happens to the items in the actors, and how they are gathered
local.py     ``LocalIterator``: what comes of that, in the process that reads it
worker.py    the actors
steps.py     what can be done with a stream of items
"""

from __future__ import annotations

from rustyray.util.iter.local import LocalIterator
from rustyray.util.iter.making import from_actors, from_items, from_iterators, from_range
from rustyray.util.iter.parallel import ParallelIterator
from rustyray.util.iter.worker import ParallelIteratorWorker

__all__ = [
    "LocalIterator",
    "ParallelIterator",
    "ParallelIteratorWorker",
    "from_actors",
    "from_items",
    "from_iterators",
    "from_range",
]
