"""A bank's accounts, in a database file that survives whatever happens to the process working on it.

Two rules conserve money when a worker may be killed between any two instructions. A transfer is one database
transaction, so it happens wholly or not at all. And it carries an identity chosen by the caller, so repeating one that
did happen changes nothing. With both, the actor may be restarted and its calls repeated as often as it takes.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import rustyray

# In this mode nothing that was committed is lost with a process, only, perhaps, with the machine's power; and no commit
# waits for the disk.
SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0));
CREATE TABLE IF NOT EXISTS transfers (id TEXT PRIMARY KEY, source TEXT, target TEXT, amount INTEGER);
"""


class InsufficientFundsError(Exception):
    """The source of a transfer holds less than the amount."""

    def __init__(self, account: str, balance: int, amount: int) -> None:
        super().__init__(account, balance, amount)
        self.account, self.balance, self.amount = account, balance, amount

    def __str__(self) -> str:
        return f"{self.account} holds {self.balance}, which is less than {self.amount}"


class Ledger:
    """The accounts and every transfer made between them. Amounts are whole cents."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.executescript(SCHEMA)

    def open_account(self, name: str, balance: int) -> None:
        """Opens an account; opening it again changes nothing."""
        with self._db:
            self._db.execute("INSERT OR IGNORE INTO accounts VALUES (?, ?)", (name, balance))

    def transfer(self, identity: str, source: str, target: str, amount: int) -> None:
        """Moves money, once for each identity.

        Raises:
            InsufficientFundsError: The source holds less than `amount`; nothing was moved.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if self._db.execute("SELECT 1 FROM transfers WHERE id = ?", (identity,)).fetchone():
                return
            balance: int = self._db.execute("SELECT balance FROM accounts WHERE name = ?", (source,)).fetchone()[0]
            if balance < amount:
                raise InsufficientFundsError(source, balance, amount)
            self._add(source, -amount)
            self._add(target, amount)
            self._db.execute("INSERT INTO transfers VALUES (?, ?, ?, ?)", (identity, source, target, amount))

    def _add(self, account: str, amount: int) -> None:
        self._db.execute("UPDATE accounts SET balance = balance + ? WHERE name = ?", (amount, account))

    def balances(self) -> dict[str, int]:
        """Returns what each account holds."""
        return dict(self._db.execute("SELECT name, balance FROM accounts ORDER BY name"))

    def transfers(self) -> list[str]:
        """Returns the identities of all transfers, in the order in which they were made."""
        return [identity for (identity,) in self._db.execute("SELECT id FROM transfers ORDER BY rowid")]

    def close(self) -> None:
        """Closes the file; everything done so far is in it."""
        self._db.close()

    def process(self) -> tuple[int, bool]:
        """Returns the id of the process at work, and whether it replaced one that died."""
        return os.getpid(), rustyray.get_runtime_context().was_current_actor_reconstructed


Bank = rustyray.remote(max_restarts=-1, max_task_retries=-1)(Ledger)
"""The ledger as an actor that is restarted, and whose calls are repeated, until they succeed."""


@rustyray.remote
def teller(bank: rustyray.ActorHandle[Ledger], name: str, orders: list[tuple[str, str, int]]) -> tuple[int, int]:
    """Has some transfers made and returns how many were made and how many were refused."""
    made = refused = 0
    for number, (source, target, amount) in enumerate(orders):
        try:
            rustyray.get(bank.transfer.remote(f"{name}-{number}", source, target, amount))
            made += 1
        except InsufficientFundsError:
            refused += 1
    return made, refused
