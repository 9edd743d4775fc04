"""Money is conserved, whoever kills the bank's worker and when."""

from __future__ import annotations

import os
import random
import signal
from contextlib import closing
from pathlib import Path

import pytest

import rustyray
from examples.bank.ledger import Bank, InsufficientFundsError, Ledger, teller
from rustyray.exceptions import ActorDiedError, RayTaskError

pytestmark = [pytest.mark.usefixtures("rustyray_local"), pytest.mark.rustyray(num_cpus=2)]

OPENING = {"alice": 10_000, "bob": 5_000, "carol": 0}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "bank.db"
    with closing(Ledger(path)) as ledger:
        for name, balance in OPENING.items():
            ledger.open_account(name, balance)
    return path


class CrashingLedger(Ledger):
    """A ledger whose worker is killed once at each of the given moments: `<transfer>:<before|during|after>`."""

    def __init__(self, path: Path, moments: list[str]) -> None:
        super().__init__(path)
        self._scars = path.parent
        self._moments = moments
        self._transfer = ""

    def transfer(self, identity: str, source: str, target: str, amount: int) -> None:
        self._transfer = identity
        self._crash("before")
        super().transfer(identity, source, target, amount)
        self._crash("after")

    def _add(self, account: str, amount: int) -> None:
        super()._add(account, amount)
        if amount < 0:
            self._crash("during")

    def _crash(self, moment: str) -> None:
        name = f"{self._transfer}:{moment}"
        scar = self._scars / name
        if name in self._moments and not scar.exists():
            scar.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def orders(seed: int, count: int) -> list[tuple[str, str, int]]:
    draw = random.Random(seed)
    pairs = [draw.sample(sorted(OPENING), 2) for _ in range(count)]
    return [(source, target, draw.randrange(1, 500)) for source, target in pairs]


def test_transfers_move_money(database: Path) -> None:
    bank = Bank.remote(database)
    rustyray.get([bank.transfer.remote("t1", "alice", "carol", 700), bank.transfer.remote("t2", "carol", "bob", 200)])
    assert rustyray.get(bank.balances.remote()) == {"alice": 9_300, "bob": 5_200, "carol": 500}


def test_an_overdraft_is_refused_with_its_own_exception(database: Path) -> None:
    bank = Bank.remote(database)
    with pytest.raises(InsufficientFundsError, match="carol holds 0, which is less than 1") as caught:
        rustyray.get(bank.transfer.remote("t1", "carol", "bob", 1))
    assert isinstance(caught.value, RayTaskError)
    assert (caught.value.account, caught.value.balance, caught.value.amount) == ("carol", 0, 1)
    assert rustyray.get(bank.balances.remote()) == OPENING


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_a_crash_at_any_moment_of_a_transfer_moves_money_once(database: Path, moment: str) -> None:
    fragile = rustyray.remote(max_restarts=1, max_task_retries=1)(CrashingLedger)
    bank = fragile.remote(database, [f"t2:{moment}"])
    rustyray.get([bank.transfer.remote(f"t{number}", "alice", "bob", 100) for number in range(5)])
    assert (database.parent / f"t2:{moment}").exists()
    assert rustyray.get(bank.balances.remote()) == {**OPENING, "alice": 9_500, "bob": 5_500}
    assert sorted(rustyray.get(bank.transfers.remote())) == ["t0", "t1", "t2", "t3", "t4"]


def test_a_callers_transfers_keep_their_order_across_many_crashes(database: Path) -> None:
    moments = ["t10:before", "t11:during", "t12:after", "t30:after", "t31:before"]
    bank = rustyray.remote(max_restarts=-1, max_task_retries=-1)(CrashingLedger).remote(database, moments)
    rustyray.get([bank.transfer.remote(f"t{number}", "alice", "carol", number) for number in range(40)])
    assert rustyray.get(bank.transfers.remote()) == [f"t{number}" for number in range(40)]
    assert rustyray.get(bank.balances.remote()) == {"alice": 10_000 - 780, "bob": 5_000, "carol": 780}


def test_a_worker_killed_from_outside_is_replaced(database: Path) -> None:
    bank = Bank.remote(database)
    first, reconstructed = rustyray.get(bank.process.remote())
    assert not reconstructed
    calls = [bank.transfer.remote(f"t{number}", "alice", "bob", 10) for number in range(60)]
    rustyray.wait(calls, num_returns=20)
    os.kill(first, signal.SIGKILL)
    rustyray.get(calls)
    second, reconstructed = rustyray.get(bank.process.remote())
    assert (second != first, reconstructed) == (True, True)
    assert rustyray.get(bank.balances.remote()) == {**OPENING, "alice": 9_400, "bob": 5_600}


def test_tellers_go_on_while_their_bank_is_killed_under_them(database: Path) -> None:
    bank = Bank.remote(database)
    work = {f"teller{number}": orders(seed=number, count=40) for number in range(3)}
    results = [teller.remote(bank, name, work[name]) for name in work]
    for _ in range(2):
        os.kill(rustyray.get(bank.process.remote())[0], signal.SIGKILL)
    done = rustyray.get(results)
    balances = rustyray.get(bank.balances.remote())
    assert sum(balances.values()) == sum(OPENING.values())
    assert [made + refused for made, refused in done] == [40, 40, 40]
    assert len(rustyray.get(bank.transfers.remote())) == sum(made for made, _ in done)


def test_without_restarts_the_caller_learns_of_the_death_and_the_money_is_still_there(database: Path) -> None:
    bank = rustyray.remote(CrashingLedger).remote(database, ["t1:during"])
    rustyray.get(bank.transfer.remote("t0", "alice", "bob", 100))
    with pytest.raises(ActorDiedError):
        rustyray.get(bank.transfer.remote("t1", "alice", "bob", 100))
    with pytest.raises(ActorDiedError):
        rustyray.get(bank.balances.remote())
    with closing(Ledger(database)) as ledger:
        assert ledger.balances() == {**OPENING, "alice": 9_900, "bob": 5_100}


def test_a_bank_killed_on_purpose_can_be_told_to_come_back(database: Path) -> None:
    bank = Bank.remote(database)
    rustyray.get(bank.transfer.remote("t0", "alice", "bob", 100))
    rustyray.kill(bank, no_restart=False)
    rustyray.get(bank.transfer.remote("t0", "alice", "bob", 100))
    assert rustyray.get(bank.balances.remote()) == {**OPENING, "alice": 9_900, "bob": 5_100}
