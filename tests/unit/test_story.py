"""Tables as data, and the story that an illegal transition tells."""

from __future__ import annotations

import enum
import pkgutil
from importlib import import_module
from typing import Any

import pytest

import rustyray.core
from rustyray.core.story import STORY_LENGTH, IllegalTransition, Journal, StateTable
from rustyray.core.telling import Teller, words
from rustyray.model.events import KINDS, Query


class Door(enum.IntEnum):
    CLOSED = 1
    OPEN = 2
    LOCKED = 3


class Hand(enum.IntEnum):
    PUSH = 1
    PULL = 2
    TURN = 3


DOOR = StateTable(
    "door",
    Door.CLOSED,
    {
        (Door.CLOSED, Hand.PUSH): Door.OPEN,
        (Door.OPEN, Hand.PULL): Door.CLOSED,
        (Door.CLOSED, Hand.TURN): Door.LOCKED,
        (Door.LOCKED, Hand.TURN): Door.CLOSED,
    },
)


def test_a_move_gives_the_next_state() -> None:
    assert Journal().move(DOOR, b"d", Door.CLOSED, Hand.PUSH) is Door.OPEN


def test_an_illegal_move_tells_the_objects_story() -> None:
    journal = Journal()
    state = journal.move(DOOR, b"\x01", Door.CLOSED, Hand.PUSH, "the cat wants out")
    journal.move(DOOR, b"\x02", Door.CLOSED, Hand.TURN, "another door")
    with pytest.raises(IllegalTransition) as caught:
        journal.move(DOOR, b"\x01", state, Hand.TURN, 42)
    assert str(caught.value) == (
        "door 01: TURN is not possible while OPEN. Its story:\n"
        "  CLOSED --PUSH-->  (the cat wants out)\n"
        "  OPEN --TURN-->  (42)"
    )


def test_memory_is_bounded_and_so_is_a_story() -> None:
    journal = Journal(100)
    for _ in range(1000):
        journal.move(DOOR, b"d", Door.LOCKED, Hand.TURN)
        journal.move(DOOR, b"d", Door.CLOSED, Hand.TURN)
    assert len(journal.moves[DOOR]) == 100
    assert len(journal.story(b"d")) == STORY_LENGTH


def test_the_edges_of_a_diagram() -> None:
    assert DOOR.edges()[0] == ("CLOSED", "PUSH", "OPEN")
    assert len(DOOR.edges()) == 4


def test_a_state_that_no_way_leads_to_is_a_mistake_in_the_table() -> None:
    with pytest.raises(ValueError, match="door: no way leads to LOCKED"):
        StateTable("door", Door.CLOSED, {(Door.CLOSED, Hand.PUSH): Door.OPEN})


def tables() -> dict[str, StateTable[Any, Any]]:
    """All tables of the cores, by their names."""
    modules = [import_module(found.name) for found in pkgutil.walk_packages(rustyray.core.__path__, "rustyray.core.")]
    members = [member for module in modules for member in vars(module).values()]
    return {member.name: member for member in members if isinstance(member, StateTable)}


@pytest.mark.parametrize("name", tables())
def test_the_moves_of_each_table_are_events(name: str) -> None:
    table = tables()[name]
    journal = Journal()
    state, event = next(iter(table.moves))
    journal.move(table, b"\1", state, event, 7)
    (told,) = Teller("node", b"\2", b"\3", Query(events=10), 0.0).of(journal)
    assert told.kind in KINDS
    assert told.is_about("01") is (told.kind != "lifecycle")
    assert words(event.name) in told.what
