"""Who waits for whom, told from what the processes say."""

from __future__ import annotations

from rustyray.api.waiting import tell
from rustyray.model import ids
from rustyray.model.messages import Report
from rustyray.model.states import TaskState, WorkerState
from rustyray.runtime.engine import Inspection

NODE = b"node-one"
DRIVER, *WORKERS = (ids.worker_id(NODE, number) for number in range(5))


class World:
    """Processes, and what they say."""

    def __init__(self) -> None:
        self.driver = Report("driver", DRIVER, NODE, 0.0, pid=1)
        self.node = Report("node", NODE, NODE, 0.0, pid=2)
        self.reports = {DRIVER: self.driver, NODE: self.node}
        self.silent: list[tuple[str, bytes]] = []
        self._count = 0

    def task(self, name: str, state: str = "queued", **more: object) -> bytes:
        """A task of the driver's; returns its object."""
        self._count += 1
        task = ids.task_id(DRIVER, self._count)
        told = TaskState(task_id=task.hex(), name=name, state=state, seconds=1.0, **more)  # type: ignore[arg-type]
        self.driver.tasks.append(told)
        return task + ids.FIRST_RETURN

    def worker(self, number: int, *runs: tuple[bytes, str], awaits: tuple[bytes, ...] = (), at: str = "") -> None:
        me = WORKERS[number]
        of_node = WorkerState(
            worker_id=me.hex(), node_id=NODE.hex(), pid=100 + number, state="LEASED", seconds=1.0, actor_id=f"a{number}"
        )
        self.node.workers.append(of_node)
        report = Report("worker", me, NODE, 0.0, pid=100 + number, awaits=[*awaits])
        states = [
            TaskState(task_id=ids.task_of(object_).hex(), name=name, state="running", seconds=1.0)
            for object_, name in runs
        ]
        own = WorkerState(worker_id=me.hex(), node_id=NODE.hex(), pid=100 + number, state="", seconds=0.0, runs=states)
        report.workers.append(own)
        report.stacks = [("MainThread", [at])] if at else []
        self.reports[me] = report

    def told(self) -> list[str]:
        found = Inspection()
        for report in self.reports.values():
            found.add(report, 0.0, 0.0, 0.0)
        found.silent += self.silent
        return tell(found)


def test_a_chain_down_to_what_just_runs() -> None:
    world = World()
    first, second = world.task("f"), world.task("g")
    world.driver.awaits = [first]
    world.worker(0, (first, "f"), awaits=(second,))
    world.worker(1, (second, "g"), at="g.py:3 in g: sleep()")
    assert world.told() == [
        "the driver waits for the result of f",
        "worker 100 (f) waits for the result of g",
        "worker 101 (g) at g.py:3 in g waits for nothing of the runtime",
    ]


def test_a_circle_through_a_queue_is_a_deadlock() -> None:
    world = World()
    first, second = world.task("A.f"), world.task("B.g")
    third = world.task("h", "on a worker", actor_id="a0")
    world.driver.awaits = [first]
    world.worker(0, (first, "A.f"), awaits=(second,))
    world.worker(1, (second, "B.g"), awaits=(third,))
    assert world.told()[2:] == [
        "worker 101 (B.g) waits for the result of h, which waits for its turn on worker 100 (A.f)",
        "deadlock: worker 100 (A.f) → worker 101 (B.g) → worker 100 (A.f)",
    ]


def test_a_circle_through_a_process_that_runs_several_things_may_be_none() -> None:
    world = World()
    first, second, other = world.task("A.f"), world.task("B.g"), world.task("A.h")
    world.worker(0, (first, "A.f"), (other, "A.h"), awaits=(second,))
    world.worker(1, (second, "B.g"), awaits=(other,))
    assert world.told()[-1].startswith("they may wait for one another: worker 100 (A.f, A.h) → worker 101 (B.g) → ")


def test_what_is_not_started_and_why() -> None:
    world = World()
    first = world.task("f", waits_for="a worker with CPU: 64 (no node has as much)")
    waits = world.task("g", "waiting for arguments", awaits=[first.hex()])
    world.task("h", waits_for="a worker with CPU: 1")
    world.driver.awaits = [waits, waits]
    queued = "the result of f, which is queued: it waits for a worker with CPU: 64 (no node has as much)"
    assert world.told() == [
        f"the driver waits for the result of g, which waits for its arguments: {queued} (× 2)",
        "not started: h, queued, waits for a worker with CPU: 1",
    ]


def test_placement_groups() -> None:
    world = World()
    ready = ids.task_id(DRIVER, 9) + ids.FIRST_RETURN
    world.driver.awaits = [ready]
    world.driver.told = {ready: "placement group 'b' of {CPU: 1} to be created"}
    world.driver.groups = ["placement group 'a' of {CPU: 2}, created", "placement group 'b' of {CPU: 1}, pending"]
    assert world.told() == [
        "the driver waits for placement group 'b' of {CPU: 1} to be created",
        "the driver has placement group 'a' of {CPU: 2}, created",
        "the driver has placement group 'b' of {CPU: 1}, pending",
    ]


def test_somebody_who_does_not_answer() -> None:
    world = World()
    first = world.task("f", "on a worker", worker_id=WORKERS[0].hex())
    world.driver.awaits = [first]
    world.silent.append(("worker", WORKERS[0]))
    assert world.told() == [
        f"the driver waits for the result of f, which waits for its turn on worker {WORKERS[0].hex()}",
        f"worker {WORKERS[0].hex()} waits for something: it does not answer",
    ]


def test_each_is_followed_by_those_that_it_needs() -> None:
    world = World()
    first, second = world.task("f"), world.task("g")
    world.worker(0, (second, "g"))
    world.worker(1, (first, "f"), awaits=(second,))
    world.driver.awaits = [first]
    world.reports = dict(reversed(world.reports.items()))
    assert [line.partition(" waits")[0] for line in world.told()] == ["the driver", "worker 101 (f)", "worker 100 (g)"]
