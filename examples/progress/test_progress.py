"""One name, one board: for every task of the runtime, and for no other runtime."""

from __future__ import annotations

import pytest

import rustyray
from examples.progress.board import NAME, Board, check, open_board
from rustyray.exceptions import RayActorError

pytestmark = [pytest.mark.usefixtures("rustyray_local"), pytest.mark.rustyray(num_cpus=2)]


@rustyray.remote
class Foreman:
    """An actor that reports what it delegates."""

    def delegate(self, numbers: list[int]) -> list[bool]:
        results = rustyray.get([check.remote(number) for number in numbers])
        rustyray.get(rustyray.get_actor(NAME).report.remote("delegated", len(numbers)))
        return results


def report_until_it_fails(board: rustyray.ActorHandle[Board]) -> None:
    """Killing takes effect soon, which need not be before the next call."""
    while True:
        rustyray.get(board.report.remote("x"))


def test_tasks_find_the_board_by_its_name() -> None:
    board = open_board("numbers")
    primes = rustyray.get([check.remote(number) for number in range(100)])
    assert sum(primes) == 25
    assert rustyray.get(board.summary.remote()) == "numbers: others 75, primes 25"


def test_an_actor_and_its_tasks_report_to_the_same_board() -> None:
    board = open_board("work")
    assert rustyray.get(Foreman.remote().delegate.remote([7, 8, 9])) == [True, False, False]
    assert rustyray.get(board.summary.remote()) == "work: delegated 3, others 2, primes 1"


def test_opening_it_twice_gives_the_same_board() -> None:
    board = open_board("first")
    rustyray.get(board.report.remote("x"))
    again = open_board("second")
    assert rustyray.get(again.report.remote("x")) == 2
    assert rustyray.get(again.summary.remote()) == "first: x 2"


def test_a_name_cannot_be_taken_twice() -> None:
    board = open_board("first")
    with pytest.raises(ValueError, match=NAME):
        Board.options(name=NAME).remote("second")
    assert rustyray.get(board.summary.remote()) == "first: "


def test_a_killed_board_gives_its_name_back() -> None:
    board = open_board("first")
    rustyray.get(board.report.remote("x"))
    rustyray.kill(board)
    with pytest.raises(RayActorError):
        report_until_it_fails(board)
    with pytest.raises(ValueError, match=NAME):
        rustyray.get_actor(NAME)
    assert rustyray.get(open_board("second").summary.remote()) == "second: "


def test_nobody_finds_a_board_that_was_never_opened() -> None:
    with pytest.raises(ValueError, match=NAME):
        rustyray.get(check.remote(5))
