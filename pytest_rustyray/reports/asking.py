"""What a runtime tells, by a deadline: it may be what is broken."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from time import localtime, strftime
from typing import TYPE_CHECKING, Any, Final

from pytest_rustyray.leaks.threads import OURS

if TYPE_CHECKING:
    from rustyray.model.events import Event

#: Seconds that processes have to answer.
ANSWER: Final = 2.0
#: Events that are told.
EVENTS: Final = 40
#: What happens all the time would push out what counts: the seals and ends of objects, and that nodes are heard of.
_SILENT: Final = frozenset({"object"})
_BEAT: Final = "heard"
_LONG_ID: Final = re.compile(r"\b([0-9a-f]{4})[0-9a-f]{12,}([0-9a-f]{6})\b")
_SHORT: Final = r"\1…\2"


def by(seconds: float, work: Callable[[], None]) -> str:
    """Do the work in a thread of its own; what was wrong, or nothing. One that is not done by then goes on alone."""
    wrong: list[str] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, there is more to tell
            wrong.append(f"the runtime could not be asked: {type(error).__name__}: {error}")

    thread = threading.Thread(target=run, name=f"{OURS}ask", daemon=True)
    thread.start()
    thread.join(seconds)
    return f"the runtime has not answered in {seconds:g} s" if thread.is_alive() else "".join(wrong)


def events(engine: Any, since: float | None = None, limit: int = EVENTS) -> list[Event]:
    """The last events of the runtime that is up."""
    if hasattr(engine, "simulation"):
        return _simulated(engine.simulation, since, limit)
    import rustyray
    from rustyray.model.events import KINDS

    kinds = [kind for kind in KINDS if kind not in _SILENT]
    found = rustyray.events(kind=kinds, since=since, limit=3 * limit, timeout=ANSWER)
    return [event for event in found if not event.what.startswith(_BEAT)][-limit:]


def _simulated(simulation: Any, since: float | None, limit: int) -> list[Event]:
    """Without a step of the simulation: it may never come back."""
    import msgspec

    from rustyray.api.inside import named
    from rustyray.model.events import Query

    now, shift = simulation.world.now, simulation.date() - simulation.world.now
    age = float("inf") if since is None else simulation.date() - since
    clients = [getattr(process, "engine", None) for process in simulation.world.processes.values() if process.alive]
    reports = [client.tell(Query(limit, age=age), now) for client in clients if client is not None]
    told = [msgspec.structs.replace(event, time=event.time + shift) for report in reports for event in report.events]
    return named(sorted(told, key=lambda event: event.time))[-limit:]


def lines(told: list[Event]) -> list[str]:
    """One for each event, with the time of day, and long ids cut short."""
    texts = [str(event).partition(" ")[2] for event in told]
    return [f"{_clock(event.time)} {_LONG_ID.sub(_SHORT, text)}" for event, text in zip(told, texts, strict=True)]


def _clock(seconds: float) -> str:
    return f"{strftime('%H:%M:%S', localtime(seconds))}.{int(seconds % 1 * 1000):03}"
