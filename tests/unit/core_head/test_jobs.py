"""Jobs: numbers, namespaces, and their end."""

from __future__ import annotations

from rustyray.model import ids
from rustyray.model.messages import (
    ActorInfo,
    ActorState,
    DescribeJob,
    JobAccepted,
    JobDescribed,
    JobFinished,
    JobOver,
    JobSetup,
    KillActor,
    RegisterJob,
    WorkerDied,
)
from tests.unit.core_head.world import DRIVER, NODES, OTHER_DRIVER, World, make_spec

LATER_DRIVER = ids.worker_id(NODES[0], 9)


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


def test_a_job_that_is_over_begins_no_detached_actor_and_takes_no_name() -> None:
    world = World(nodes=1)
    world.say(DRIVER, JobFinished(b"\0\0\0\1", DRIVER))
    world.create(make_spec(1, detached=True, name="keeper"))
    assert world.news()[-1] is ActorState.DEAD
    later = register(world, NODES[0], LATER_DRIVER, "ns").job
    actor = world.create(make_spec(1, owner=LATER_DRIVER, job=later, detached=True, name="keeper"), get_if_exists=True)
    assert world.come_up()[0] == actor


def test_old_jobs_are_forgotten_in_the_end() -> None:
    world = World(nodes=1)
    for number in range(1500):
        driver = DRIVER[:-4] + (number + 10).to_bytes(4, "big")
        job = register(world, NODES[0], driver).job
        world.say(driver, JobFinished(job, driver))
    assert len(world.head._jobs.jobs) <= 1001


def test_a_job_is_over_when_its_last_detached_actor_is_gone() -> None:
    world = World(nodes=1)
    setup = JobSetup("host", [], [], "/", {}, 0o022)
    world.say(NODES[0], RegisterJob(LATER_DRIVER, "ns", 1, setup))
    job = world.one(NODES[0], JobAccepted).job
    world.create(make_spec(1, owner=LATER_DRIVER, job=job, detached=True))
    world.come_up(1)
    world.say(NODES[0], JobFinished(job, LATER_DRIVER))
    world.say(NODES[0], DescribeJob(job))
    assert world.one(NODES[0], JobDescribed) == JobDescribed(job, LATER_DRIVER, "ns", setup)
    world.say(DRIVER, KillActor(make_spec(1, owner=LATER_DRIVER).actor, True, False, "killed"))
    assert world.one(NODES[0], JobOver).job == job
    world.say(NODES[0], DescribeJob(job))
    assert world.one(NODES[0], JobOver).reason == "its driver is done"


def test_nothing_is_known_of_a_job_that_never_was() -> None:
    world = World(nodes=1)
    world.say(NODES[0], DescribeJob(b"\0\0\0\x63"))
    assert world.one(NODES[0], JobOver) == JobOver(b"\0\0\0\x63", "nothing is known of it")


def test_what_a_detached_actor_creates_outlives_the_job_too() -> None:
    world = World(nodes=1)
    world.create(make_spec(1, detached=True))
    _, _, worker = world.come_up(1)
    world.say(NODES[0], JobFinished(b"\0\0\0\1", DRIVER))
    world.create(make_spec(2, owner=worker, job=b"\0\0\0\1"))
    assert world.one(worker, ActorInfo).state == ActorState.PENDING
