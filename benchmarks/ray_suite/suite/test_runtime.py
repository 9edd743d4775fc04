"""init, shutdown, the runtime context, environments of workers."""

import os

import pytest
import ray


@ray.remote
def context():
    found = ray.get_runtime_context()
    return found.get_job_id(), found.get_node_id(), found.get_worker_id(), found.get_task_id(), found.get_actor_id()


def test_init_and_shutdown(shutdown_only):
    assert not ray.is_initialized()
    ray.init(num_cpus=1)
    assert ray.is_initialized()
    ray.shutdown()
    assert not ray.is_initialized()


def test_init_twice_is_refused(ray_start_regular):
    with pytest.raises(RuntimeError):
        ray.init()


def test_ignore_reinit_error(ray_start_regular):
    ray.init(ignore_reinit_error=True)
    assert ray.cluster_resources()["CPU"] == 1


def test_shutdown_twice(shutdown_only):
    ray.init(num_cpus=1)
    ray.shutdown()
    ray.shutdown()


def test_init_again_after_shutdown(shutdown_only):
    for cpus in (1, 2):
        ray.init(num_cpus=cpus)
        assert ray.cluster_resources()["CPU"] == cpus
        ray.shutdown()


def test_init_as_a_context_manager(shutdown_only):
    with ray.init(num_cpus=1):
        assert ray.get(ray.put(1)) == 1
    assert not ray.is_initialized()


def test_a_function_outlives_a_runtime(shutdown_only):
    for _ in range(2):
        ray.init(num_cpus=1)
        assert len(ray.get(context.remote())) == 5
        ray.shutdown()


def test_unknown_options_of_init_are_refused(shutdown_only):
    with pytest.raises((TypeError, RuntimeError, ValueError)):
        ray.init(no_such_option=1)


def test_ids_of_a_task(ray_start_regular):
    job, node, _, task, actor = ray.get(context.remote())
    mine = ray.get_runtime_context()
    assert job == mine.get_job_id()
    assert node == mine.get_node_id()
    assert task is not None and actor is None


def test_ids_of_tasks_differ(ray_start_regular):
    assert ray.get(context.remote())[3] != ray.get(context.remote())[3]


def test_ids_of_an_actor(ray_start_regular):
    @ray.remote
    class Teller:
        def ids(self):
            found = ray.get_runtime_context()
            return found.get_actor_id(), found.get_actor_name(), found.namespace

    teller = Teller.options(name="teller").remote()
    assert ray.get(teller.ids.remote()) == (teller._actor_id.hex(), "teller", "default_test_namespace")


def test_assigned_resources(ray_start_2_cpus):
    @ray.remote(num_cpus=2)
    def assigned():
        return ray.get_runtime_context().get_assigned_resources()

    assert ray.get(assigned.remote())["CPU"] == 2


def test_current_actor(ray_start_regular):
    @ray.remote
    class Self:
        def me(self):
            return ray.get_runtime_context().current_actor

        def ping(self):
            return "pong"

    assert ray.get(ray.get(Self.remote().me.remote()).ping.remote()) == "pong"


def test_env_vars_of_a_task(ray_start_regular):
    @ray.remote(runtime_env={"env_vars": {"COLOUR": "green"}})
    def colour():
        return os.environ["COLOUR"]

    assert ray.get(colour.remote()) == "green"


def test_env_vars_by_options(ray_start_regular):
    @ray.remote
    def colour():
        return os.environ.get("COLOUR")

    coloured = colour.options(runtime_env={"env_vars": {"COLOUR": "red"}})
    assert ray.get([coloured.remote(), colour.remote()]) == ["red", None]


def test_env_vars_of_an_actor(ray_start_regular):
    @ray.remote
    class Painter:
        def colour(self):
            return os.environ.get("COLOUR")

    painter = Painter.options(runtime_env={"env_vars": {"COLOUR": "blue"}}).remote()
    assert ray.get(painter.colour.remote()) == "blue"


def test_env_vars_of_the_job(shutdown_only):
    ray.init(num_cpus=1, runtime_env={"env_vars": {"COLOUR": "grey"}})
    assert ray.get(ray.remote(lambda: os.environ["COLOUR"]).remote()) == "grey"


def test_environments_are_merged(shutdown_only):
    ray.init(num_cpus=1, runtime_env={"env_vars": {"ONE": "1", "TWO": "2"}})

    @ray.remote(runtime_env={"env_vars": {"TWO": "3"}})
    def both():
        return os.environ["ONE"], os.environ["TWO"]

    assert ray.get(both.remote()) == ("1", "3")


def test_working_dir(shutdown_only, tmp_path):
    (tmp_path / "given.txt").write_text("content")
    ray.init(num_cpus=1, runtime_env={"working_dir": str(tmp_path)})

    @ray.remote
    def read():
        with open("given.txt") as file:
            return file.read()

    assert ray.get(read.remote()) == "content"


@pytest.mark.parametrize("ray_start_regular", [{"namespace": "mine"}], indirect=True)
def test_the_namespace(ray_start_regular):
    assert ray.get_runtime_context().namespace == "mine"
