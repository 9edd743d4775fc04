"""``multiprocessing.Pool`` whose processes are actors, on any node (as in Ray).

pool.py      the pool: which actor gets what, and when
results.py   what its methods return
"""

from __future__ import annotations

from multiprocessing import JoinableQueue, TimeoutError  # noqa: A004 - its name in the standard library

from rustyray.util.multiprocessing.pool import Pool
from rustyray.util.multiprocessing.results import AsyncResult, IMapIterator

__all__ = ["AsyncResult", "IMapIterator", "JoinableQueue", "Pool", "TimeoutError"]
