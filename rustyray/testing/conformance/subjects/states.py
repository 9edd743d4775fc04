"""``util.state``: what there is, and what became of what was."""

import numpy as np
import pytest

from rustyray.testing.conformance.helpers import entered, gate, got, until


def tasks_are_listed_with_their_state(api):
    """``list_tasks`` has each task with its name and state; ``get_task`` has one, by its id."""
    door = gate(api)

    @api.remote(num_cpus=0)
    def stays():
        api.get(door.enter.remote())

    ref = stays.options(name="the one that stays").remote()
    entered(api, door)
    state = api.util.state
    until(lambda: state.get_task(ref.task_id().hex()) is not None)
    assert state.get_task(ref.task_id().hex()).name == "the one that stays"
    until(lambda: state.get_task(ref.task_id().hex()).state == "RUNNING")
    api.get(door.open.remote())
    got(api, ref)
    until(lambda: state.get_task(ref.task_id().hex()).state == "FINISHED")
    [row] = state.list_tasks(filters=[("name", "=", "the one that stays")])
    assert row.task_id == ref.task_id().hex()


def failed_tasks_are_listed_as_such(api):
    """A task that raised is FAILED."""

    @api.remote(num_cpus=0)
    def fails():
        raise ValueError("no")

    ref = fails.remote()
    with pytest.raises(ValueError):
        got(api, ref)
    until(lambda: api.util.state.get_task(ref.task_id().hex()).state == "FAILED")


def actors_are_listed_with_their_state(api):
    """``list_actors`` has each actor with its class, name and state: ALIVE, and DEAD when it has ended."""

    @api.remote(num_cpus=0)
    class Board:
        def f(self):
            return 1

    board = Board.options(name="on the list").remote()
    got(api, board.f.remote())
    state, id_ = api.util.state, board._actor_id.hex()
    until(lambda: state.get_actor(id_).state == "ALIVE")
    row = state.get_actor(id_)
    assert row.name == "on the list"
    assert "Board" in row.class_name
    api.kill(board)
    until(lambda: state.get_actor(id_).state == "DEAD")


def rows_can_be_chosen(api):
    """``filters`` are (field, "=" or "!=", value); ``limit`` is how many rows there are at most."""

    @api.remote(num_cpus=0)
    class Board:
        def f(self):
            return 1

    boards = [Board.options(name=name).remote() for name in ("first chosen", "second chosen")]
    got(api, [board.f.remote() for board in boards])
    state = api.util.state
    found = until(lambda: state.list_actors(filters=[("name", "=", "first chosen")]))
    assert [row.actor_id for row in found] == [boards[0]._actor_id.hex()]
    assert "first chosen" not in [row.name for row in state.list_actors(filters=[("name", "!=", "first chosen")])]
    assert len(state.list_actors(limit=1)) == 1


def nodes_jobs_and_workers_are_listed(api):
    """``list_nodes``, ``list_jobs`` and ``list_workers`` have what the contexts of programs tell."""

    @api.remote(num_cpus=0)
    def where():
        here = api.get_runtime_context()
        return here.get_node_id(), here.get_job_id(), here.get_worker_id()

    node, job, worker = got(api, where.remote())
    state = api.util.state
    assert node in [row.node_id for row in state.list_nodes()]
    assert job in [row.job_id for row in state.list_jobs()]
    assert state.list_workers(filters=[("worker_id", "=", worker)])


def objects_are_listed(api):
    """``list_objects`` has the objects that are held, with their sizes."""
    ref = api.put(np.ones(200_000, np.uint8))
    row = api.util.state.list_objects(filters=[("object_id", "=", ref.hex())])[0]
    assert row.object_size >= 200_000


def groups_are_listed(api):
    """``list_placement_groups`` has each group with its name and state."""
    group = api.util.placement_group([{"CPU": 1}], name="a listed group")
    assert group.wait(60)
    row = until(lambda: api.util.state.list_placement_groups(filters=[("name", "=", "a listed group")]))[0]
    assert (row.placement_group_id, row.state) == (group.id.hex(), "CREATED")
    api.util.remove_placement_group(group)


def counts_are_summed_up(api):
    """``summarize_tasks`` counts tasks by their function and state."""

    @api.remote(num_cpus=0)
    def counted():
        return 1

    got(api, [counted.remote() for _ in range(3)])

    def counts():
        rows = api.util.state.summarize_tasks()["cluster"]["summary"]
        return [row["state_counts"].get("FINISHED") for name, row in rows.items() if name.endswith("counted")]

    until(lambda: counts() == [3])
