"""Pools of `multiprocessing`, and ours of that name: they replace processes that are killed, and so end as a whole."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from pytest_rustyray.leaks.finding import runtime_module

ENDED: Final = "ended with its pool"
#: Seconds that a pool has to end, and then once more when its processes were killed.
PATIENCE: Final = 2.0


def end(part: object) -> bool:
    """End the pool that has this process (a pid) or thread; False if none has."""
    modules: list[Any] = [sys.modules.get(f"{name}.pool") for name in ("multiprocessing", "multiprocess")]
    for pool in _pools(modules):
        if part in _parts(pool):
            ending = threading.Thread(target=_terminate, args=(pool,), name="pytest-rustyray-pool", daemon=True)
            ending.start()
            ending.join(PATIENCE)
            if ending.is_alive():
                for process in _processes(pool):
                    process.kill()
                ending.join(PATIENCE)
            return True
    return False


def _terminate(pool: Any) -> None:
    with suppress(Exception):  # whatever it is: its parts are ended one by one
        pool.terminate()


def end_of_actors(actor: bytes) -> bool:
    """End the pool that has this actor; False if none has."""
    for pool in _pools([runtime_module("util.multiprocessing.pool")]):
        children = (*getattr(pool, "_idle", ()), *getattr(pool, "_busy", ()))
        if any(child.actor._actor_id.binary() == actor for child in children):
            pool.terminate()
            return True
    return False


def _pools(modules: list[Any]) -> Iterator[Any]:
    kinds = tuple(module.Pool for module in modules if module is not None)
    return (one for one in gc.get_objects() if issubclass(type(one), kinds)) if kinds else iter(())


def _parts(pool: Any) -> Iterator[object]:
    """Of one whose constructor failed, there may be less."""
    yield from (process.pid for process in _processes(pool))
    yield from (one for one in getattr(pool, "_pool", ()) if isinstance(one, threading.Thread))
    yield from (getattr(pool, name, None) for name in ("_worker_handler", "_task_handler", "_result_handler"))


def _processes(pool: Any) -> list[Any]:
    return [one for one in getattr(pool, "_pool", ()) if not isinstance(one, threading.Thread)]
