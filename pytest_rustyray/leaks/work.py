"""What a test leaves in a runtime that outlives it: refs that something refers to, actors, placement groups, tasks that
are not done.
"""

from __future__ import annotations

from typing import Any, Final

from pytest_rustyray.leaks import of_pools, origins
from pytest_rustyray.leaks.finding import Leak
from pytest_rustyray.lifetimes import running_engine

#: Kind and id.
Thing = tuple[str, bytes]


class Work:
    """Of the driver alone: what tasks and actors have started ends with them. (Their groups, with the job.)"""

    cheap: Final = True

    def __init__(self) -> None:
        self._texts: dict[Thing, str] = {}
        self._engine: Any = None

    def look(self) -> list[Thing]:
        self._engine = running_engine()
        self._texts = {}
        if hasattr(self._engine, "held"):
            held: dict[str, dict[bytes, str]] = self._engine.held()
            self._texts = {(kind, id_): text for kind, texts in held.items() for id_, text in texts.items()}
        return [*self._texts]

    def leak(self, thing: Thing) -> Leak | None:
        kind, id_ = thing
        engine = self._engine

        def let_go() -> str:
            if kind == "refs":
                return "stays with whoever refers to it"
            if kind == "actors" and of_pools.end_of_actors(id_):
                return of_pools.ENDED
            done = {"actors": "killed", "tasks": "cancelled", "groups": "removed"}[kind]
            return done if engine.let_go(kind, id_) else "is over by now"

        text = self._texts[thing]
        return Leak(kind, text, let_go, lambda: origins.ref(_counted_by(kind, id_)), text.endswith(_ends()))


def _ends() -> str:
    from rustyray.core.owner.holding import ENDS

    return ENDS


def _counted_by(kind: str, id_: bytes) -> bytes:
    """The object whose refs keep it; empty if nothing does."""
    from rustyray.model import ids

    kept = {"refs": id_, "actors": ids.handle_id(id_), "tasks": id_ + ids.FIRST_RETURN}
    return kept.get(kind, b"")
