"""Code of a test module at work in a process that has never seen the module."""

import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rustyray.runtime.serialization import (
    dumps_args,
    dumps_function,
    loads,
    register_by_value,
    registered_by_value,
    unregister_by_value,
)

ROOT = Path(__file__).parents[2]
WORKER = """
import pickle, sys
sys.path.insert(0, {root!r})
from rustyray.runtime.serialization import dumps, loads, loads_args, to_value
function, data, buffers = pickle.load(sys.stdin.buffer)
args, kwargs = loads_args(data, buffers, [])
try:
    answer = loads(function)(*args, **kwargs)
except Exception as error:
    answer = error
packed = dumps(answer)
loaded = sorted(name for name in sys.modules if name.startswith("tests") or name == "conftest")
pickle.dump((packed.data, [bytes(buffer) for buffer in packed.buffers], loaded), sys.stdout.buffer)
"""


@dataclass
class Account:
    owner: str
    balance: int

    def paid(self, amount: int) -> "Account":
        return pay(self, amount)


class Overdrawn(Exception):
    def __init__(self, account: Account) -> None:
        super().__init__(f"{account.owner} has {account.balance} only")
        self.account = account

    def __reduce__(self) -> tuple[Any, ...]:
        return Overdrawn, (self.account,)


def pay(account: Account, amount: int) -> Account:
    if amount > account.balance:
        raise Overdrawn(account)
    return Account(account.owner, account.balance - amount)


def check(account: Account) -> None:
    assert account.balance == 12, account.owner


def call(function: Any, *args: Any) -> Any:
    """Run ``function(*args)`` in a fresh interpreter; this module is by value meanwhile."""
    registered = __name__ in registered_by_value()
    register_by_value(__name__)
    try:
        serialized, _ = dumps_args(args, {})
        assert serialized is not None
        sent = dumps_function(function)[0], serialized.data, [bytes(buffer) for buffer in serialized.buffers]
    finally:
        if not registered:
            unregister_by_value(__name__)
    done = subprocess.run(
        # In the project's root the module could be imported, which must not happen.
        [sys.executable, "-c", WORKER.format(root=str(ROOT))],
        input=pickle.dumps(sent),
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    data, buffers, loaded = pickle.loads(done.stdout)
    assert loaded == []
    return loads(data, buffers)


def test_functions_and_values_of_a_test_module() -> None:
    left = call(pay, Account("ann", 20), 8)
    assert left == Account("ann", 12)
    assert type(left) is Account


def test_methods_bring_the_functions_they_call() -> None:
    assert call(Account.paid, Account("ann", 20), 5) == Account("ann", 15)


def test_an_importable_function_with_a_value_of_a_test_module() -> None:
    assert call(list, (Account("bob", 1), Account)) == [Account("bob", 1), Account]


def test_exceptions_of_a_test_module() -> None:
    error = call(pay, Account("ann", 2), 8)
    assert type(error) is Overdrawn
    assert error.account == Account("ann", 2)


def test_rewritten_assertions_explain_themselves() -> None:
    error = call(check, Account("ann", 2))
    assert isinstance(error, AssertionError)
    assert "assert 2 == 12" in str(error)
    assert "where 2 = " in str(error)
    assert "ann" in str(error)


def test_a_function_of_the_main_program() -> None:
    program = f"""
import pickle, sys
sys.path.insert(0, {str(ROOT)!r})
from rustyray.runtime.serialization import dumps, dumps_function
class Point:
    x = 5
def shift(point, by):
    return Point.x + point.x + by
pickle.dump((dumps_function(shift)[0], dumps(Point()).data), sys.stdout.buffer)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)
    function, point = pickle.loads(done.stdout)
    assert loads(function)(loads(point), 1) == 11
