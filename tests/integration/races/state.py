"""Races about what is read and then written, by several."""

from __future__ import annotations

import rustyray
from tests.integration.races.races import Cell, Cells, race


@rustyray.remote
def increment(cell: Cells, right: bool) -> None:
    if right:
        rustyray.get(cell.add.remote(1))
    else:
        value = rustyray.get(cell.get.remote())
        rustyray.get(cell.set.remote(value + 1))


@race()
def lost_update(right: bool) -> None:
    cell = Cell.remote()
    rustyray.get([increment.remote(cell, right) for _ in range(2)])
    assert rustyray.get(cell.get.remote()) == 2


@rustyray.remote
def buy(stock: Cells, right: bool) -> bool:
    if right:
        return rustyray.get(stock.take.remote(1))
    if rustyray.get(stock.get.remote()) < 1:
        return False
    rustyray.get(stock.add.remote(-1))
    return True


@race()
def check_then_act(right: bool) -> None:
    stock = Cell.remote(1)
    assert sum(rustyray.get([buy.remote(stock, right) for _ in range(2)])) == 1


@rustyray.remote
def register(registry: Cells, right: bool) -> int:
    if right:
        return rustyray.get(registry.append.remote(0)) - 1
    number = len(rustyray.get(registry.items.remote()))
    rustyray.get(registry.append.remote(number))
    return number


@race()
def duplicate_numbers(right: bool) -> None:
    registry = Cell.remote()
    assert sorted(rustyray.get([register.remote(registry, right) for _ in range(2)])) == [0, 1]


@rustyray.remote
def consume(queue: Cells, right: bool) -> int | None:
    if right:
        return rustyray.get(queue.pop_if_any.remote())
    if rustyray.get(queue.items.remote()):
        return rustyray.get(queue.pop.remote())
    return None


@race()
def pop_from_a_queue_that_was_not_empty(right: bool) -> None:
    queue = Cell.remote()
    rustyray.get(queue.append.remote(7))
    assert sorted(map(str, rustyray.get([consume.remote(queue, right) for _ in range(2)]))) == ["7", "None"]


@rustyray.remote(num_cpus=0)
class Bank:
    def __init__(self) -> None:
        self.accounts = {"a": 100, "b": 0}

    def add(self, account: str, amount: int) -> None:
        self.accounts[account] += amount

    def move(self, amount: int) -> None:
        self.accounts["a"] -= amount
        self.accounts["b"] += amount

    def total(self) -> int:
        return sum(self.accounts.values())


@rustyray.remote
def transfer(bank: rustyray.ActorHandle[Bank], right: bool) -> None:
    if right:
        rustyray.get(bank.move.remote(30))
    else:
        rustyray.get(bank.add.remote("a", -30))
        rustyray.get(bank.add.remote("b", 30))


@rustyray.remote
def audit(bank: rustyray.ActorHandle[Bank]) -> int:
    return rustyray.get(bank.total.remote())


@race()
def audit_in_the_middle_of_a_transfer(right: bool) -> None:
    bank = Bank.remote()
    _, total = rustyray.get([transfer.remote(bank, right), audit.remote(bank)])
    assert total == 100


@rustyray.remote
def move(one: Cells, other: Cells) -> None:
    rustyray.get(one.add.remote(-1))
    rustyray.get(other.add.remote(1))


@race()
def read_skew(right: bool) -> None:
    one, other = Cell.remote(1), Cell.remote(0)
    moving = move.remote(one, other)
    if right:
        rustyray.get(moving)
    assert rustyray.get(one.get.remote()) + rustyray.get(other.get.remote()) == 1


@rustyray.remote
def unit_of_work(pending: Cells, done: Cells, right: bool) -> None:
    if not right:
        rustyray.get(pending.add.remote(1))
    rustyray.get(done.add.remote(1))
    rustyray.get(pending.add.remote(-1))


@race()
def counted_in_too_late(right: bool) -> None:
    """Who waits for the number of pending tasks to be 0 must count them before they start."""
    pending, done = Cell.remote(), Cell.remote()
    for _ in range(2):
        if right:
            rustyray.get(pending.add.remote(1))
        unit_of_work.remote(pending, done, right)
    rustyray.get(unit_of_work.remote(Cell.remote(), Cell.remote(), right))
    while rustyray.get(pending.get.remote()):
        pass
    assert rustyray.get(done.get.remote()) == 2


@rustyray.remote(num_cpus=0)
class Shop:
    def __init__(self) -> None:
        self.open = True
        self.sold_after_closing = 0

    def is_open(self) -> bool:
        return self.open

    def sell(self) -> None:
        self.sold_after_closing += not self.open

    def sell_if_open(self) -> None:
        if self.open:
            self.sell()

    def close(self) -> None:
        self.open = False

    def late_sales(self) -> int:
        return self.sold_after_closing


@rustyray.remote
def seller(shop: rustyray.ActorHandle[Shop], right: bool) -> None:
    if right:
        rustyray.get(shop.sell_if_open.remote())
    elif rustyray.get(shop.is_open.remote()):
        rustyray.get(shop.sell.remote())


@race(least=2)
def work_after_the_end(right: bool) -> None:
    shop = Shop.remote()
    selling = seller.remote(shop, right)
    rustyray.get(shop.close.remote())
    rustyray.get(selling)
    assert rustyray.get(shop.late_sales.remote()) == 0


@rustyray.remote
def highest(best: Cells, score: int, right: bool) -> None:
    if right:
        rustyray.get(best.append.remote(score))
    elif rustyray.get(best.get.remote()) < score:
        rustyray.get(best.set.remote(score))


@race()
def maximum_overwritten(right: bool) -> None:
    best = Cell.remote()
    rustyray.get([highest.remote(best, score, right) for score in (5, 3)])
    found = max(rustyray.get(best.items.remote())) if right else rustyray.get(best.get.remote())
    assert found == 5
