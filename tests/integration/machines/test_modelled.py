"""Actors of one's own beside a model of one's own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rustyray
from rustyray.testing import actor_programs, model_machine
from tests.integration.machines.finding import profile


class OverdrawnError(Exception):
    pass


class Account:
    def __init__(self, balance: int) -> None:
        self.balance = balance

    def deposit(self, amount: int) -> int:
        self.balance += amount
        return self.balance

    def withdraw(self, amount: int) -> int:
        if amount > self.balance:
            raise OverdrawnError(f"{amount} of {self.balance}")
        self.balance -= amount
        return self.balance


class Saved(Account):
    """Like an actor that writes down what it has; see ``restarted``."""

    def restarted(self) -> Saved:
        return Saved(100)


AMOUNTS = {"deposit": [st.integers(0, 9)], "withdraw": [st.integers(0, 9)]}
STARTS = st.lists(st.integers(0, 9), min_size=1, max_size=1)

TestAccount = model_machine(Account, arguments=AMOUNTS, constructor=STARTS, restarts=2).TestCase
TestAccount.settings = profile(15, steps=8)
TestNative = model_machine(rustyray.remote(Account), constructor=STARTS, engine="native", num_cpus=1).TestCase
TestNative.settings = profile(2, steps=8)


def test_what_a_restart_keeps_the_model_says() -> None:
    machine = model_machine(Account, Saved, constructor=STARTS, restarts=1)
    machine.replay("start(seed=0, arguments=[1]); calls(program=[('deposit', [1])])")
    with pytest.raises(AssertionError, match=r"deposit\(1\): the actor's is 2, the model's 101"):
        machine.replay("start(seed=0, arguments=[1]); restart(); calls(program=[('deposit', [1])])")


def test_a_program_of_calls() -> None:
    @profile(10)
    @given(st.one_of(actor_programs(Account, AMOUNTS), actor_programs(rustyray.remote(Account))))
    def check(program: Any) -> None:
        with rustyray.init(engine="sim"):
            program.check(rustyray.remote(Account).remote(3), Account(3))

    check()


class Untold:
    def put(self, value) -> None:  # type: ignore[no-untyped-def]
        pass


class Empty:
    pass


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(TypeError, match=r"Untold\.put\(\) has no annotation for 'value': annotate it"):
        model_machine(Untold)
    with pytest.raises(TypeError, match=r"Account has no method 'deposits'.*'deposit'.*to draw arguments for"):
        model_machine(Account, arguments={"deposits": []})
    with pytest.raises(TypeError, match="Untold has no method 'deposit', which its model has"):
        model_machine(Untold, Account)
    with pytest.raises(TypeError, match="Empty has no public methods"):
        model_machine(Empty)
