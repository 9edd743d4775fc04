"""Jobs: numbers, namespaces, and their end."""

from __future__ import annotations

from rustyray.model.messages import ActorState, JobAccepted, JobFinished, RegisterJob, WorkerDied
from tests.unit.core_head.world import DRIVER, NODES, OTHER_DRIVER, World, make_spec


def register(world: World, node: bytes, driver: bytes, namespace: str = "") -> JobAccepted:
    world.say(node, RegisterJob(driver, namespace, 1))
    return world.one(node, JobAccepted)


def test_jobs_are_numbered_and_a_driver_has_one() -> None:
    world = World(nodes=2)
    again, other = register(world, NODES[0], DRIVER), register(world, NODES[1], OTHER_DRIVER)
    assert (again.job, again.namespace) == (b"\0\0\0\1", "ns")
    assert other.job == b"\0\0\0\2"


def test_namespaces_are_anonymous_by_default() -> None:
    world = World(nodes=2)
    namespace = register(world, NODES[1], OTHER_DRIVER).namespace
    assert namespace.startswith("anonymous-")
    assert OTHER_DRIVER.hex() in namespace


def test_a_finished_job_ends_its_actors_but_not_the_detached() -> None:
    world = World(nodes=1)
    for number, detached in ((1, False), (2, True)):
        world.create(make_spec(number, detached=detached))
        world.come_up(number)
    world.say(NODES[0], JobFinished(b"\0\0\0\1", DRIVER))
    assert world.news() == [
        ActorState.PENDING,
        ActorState.ALIVE,
        ActorState.PENDING,
        ActorState.ALIVE,
        ActorState.DEAD,
    ]


def test_a_dead_driver_finishes_its_job() -> None:
    world = World(nodes=1)
    world.create(make_spec(1))
    world.say(NODES[0], WorkerDied(DRIVER, "end of file"))
    world.say(NODES[0], JobFinished(b"\0\0\0\1", DRIVER))
    world.head._jobs.check()
    assert world.head._jobs.why_over(b"\0\0\0\1") == "its driver died: end of file"


def test_a_job_that_a_stranger_calls_finished_goes_on() -> None:
    world = World(nodes=2)
    world.say(NODES[1], JobFinished(b"\0\0\0\1", DRIVER))
    assert world.head._jobs.why_over(b"\0\0\0\1") is None


def test_what_a_finished_job_still_creates_is_dead() -> None:
    world = World(nodes=1)
    world.say(DRIVER, JobFinished(b"\0\0\0\1", DRIVER))
    world.create(make_spec(1))
    assert world.news()[-1] is ActorState.DEAD
    assert not world.starting()


def test_old_jobs_are_forgotten_in_the_end() -> None:
    world = World(nodes=1)
    for number in range(1500):
        driver = DRIVER[:-4] + (number + 10).to_bytes(4, "big")
        job = register(world, NODES[0], driver).job
        world.say(driver, JobFinished(job, driver))
    assert len(world.head._jobs.jobs) <= 1001
