"""Races about what is taken to happen before something else."""

from __future__ import annotations

import rustyray
from rustyray.exceptions import RayActorError, TaskCancelledError
from tests.integration.races.races import Cell, Cells, race


@rustyray.remote
def identity(number: int) -> int:
    return number


@race()
def order_taken_from_wait(right: bool) -> None:
    refs = [identity.remote(number) for number in range(3)]
    results = []
    left = refs
    while left:
        done, left = rustyray.wait(left, num_returns=1)
        results.append(rustyray.get(done[0]))
    assert (rustyray.get(refs) if right else results) == [0, 1, 2]


@rustyray.remote
def write(cell: Cells, value: int) -> None:
    rustyray.get(cell.append.remote(value))


@race()
def order_of_two_writers(right: bool) -> None:
    cell = Cell.remote()
    first = write.remote(cell, 1)
    if right:
        rustyray.get(first)
    rustyray.get([first, write.remote(cell, 2)])
    assert rustyray.get(cell.items.remote()) == [1, 2]


@rustyray.remote
def read(cell: Cells) -> int:
    return rustyray.get(cell.get.remote())


@race()
def read_by_another_before_the_write(right: bool) -> None:
    """Calls of one caller are in order; those of two are not."""
    cell = Cell.remote()
    writing = cell.set.remote(1)
    if right:
        rustyray.get(writing)
    assert rustyray.get(read.remote(cell)) == 1


@rustyray.remote(num_cpus=0)
class Service:
    def __init__(self) -> None:
        self.started = False

    def start(self) -> None:
        self.started = True

    def use(self) -> int:
        if not self.started:
            raise RuntimeError("not started")
        return 1


@rustyray.remote
def start(service: rustyray.ActorHandle[Service]) -> None:
    rustyray.get(service.start.remote())


@race(least=0)
def used_before_it_is_ready(right: bool) -> None:
    service = Service.remote()
    starting = start.remote(service)
    if right:
        rustyray.get(starting)
    assert rustyray.get(service.use.remote()) == 1


@rustyray.remote(num_cpus=0)
class Relay:
    def __init__(self, cell: Cells) -> None:
        self.cell = cell

    def append(self, item: int) -> int:
        return rustyray.get(self.cell.append.remote(item))


@race(least=0)
def overtaken_on_another_way(right: bool) -> None:
    """What goes through somebody else may arrive after what was sent later."""
    cell = Cell.remote()
    relay = Relay.remote(cell)
    first = relay.append.remote(1)
    if right:
        rustyray.get(first)
    second = cell.append.remote(2)
    rustyray.get([first, second])
    assert rustyray.get(cell.items.remote()) == [1, 2]


@rustyray.remote(num_cpus=0)
class Journal:
    def __init__(self, cell: Cells) -> None:
        self.cell = cell

    def note(self, item: int) -> None:
        rustyray.get(self.cell.append.remote(item))


@race(least=0)
def killed_before_it_has_written(right: bool) -> None:
    cell = Cell.remote()
    journal = Journal.remote(cell)
    noting = journal.note.remote(1)
    if right:
        rustyray.get(noting)
    rustyray.kill(journal)
    try:
        rustyray.get(noting)
    except RayActorError:
        pass  # the program believes that what was called has happened
    assert rustyray.get(cell.items.remote()) == [1]


@race()
def cancelled_after_it_has_happened(right: bool) -> None:
    """It may have happened before, and what a cancelled task has sent may arrive after that."""
    cell = Cell.remote()
    writing = write.remote(cell, 1)
    rustyray.get(cell.get.remote())
    rustyray.cancel(writing)
    try:
        rustyray.get(writing)
        happened = 1
    except TaskCancelledError:
        happened = len(rustyray.get(cell.seal.remote())) if right else 0
    assert len(rustyray.get(cell.items.remote())) == happened


@rustyray.remote
def find_or_create(right: bool) -> Cells:
    if right:
        return Cell.options(name="the one", get_if_exists=True).remote()
    try:
        return rustyray.get_actor("the one")
    except ValueError:
        return Cell.options(name="the one").remote()


@race()
def created_twice(right: bool) -> None:
    first = Cell.options(name="the one").remote() if right else None
    cells = rustyray.get([find_or_create.remote(right) for _ in range(2)])
    assert sorted(rustyray.get([cell.add.remote(1) for cell in cells])) == [1, 2]
    del first


@rustyray.remote
def publish(values: Cells, version: Cells, right: bool) -> None:
    first, second = (values, version) if right else (version, values)
    rustyray.get(first.add.remote(1))
    rustyray.get(second.add.remote(1))


@race(least=2)
def announced_before_it_is_there(right: bool) -> None:
    values, version = Cell.remote(), Cell.remote()
    publishing = publish.remote(values, version, right)
    announced = rustyray.get(version.get.remote())
    assert rustyray.get(values.get.remote()) >= announced
    rustyray.get(publishing)
