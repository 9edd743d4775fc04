"""``init``, ``shutdown`` and ``is_initialized``."""

import os
import platform

import pytest

from rustyray.testing.conformance.helpers import got, until

TOPOLOGY = "own"


def init_starts(api, start):
    """``is_initialized`` is False before ``init``, and True after it."""
    assert not api.is_initialized()
    start()
    assert api.is_initialized()


def shutdown_ends(api, start):
    """``is_initialized`` is False after ``shutdown``."""
    start()
    api.shutdown()
    assert not api.is_initialized()


def shutdown_when_down_does_nothing(api):
    """``shutdown`` when nothing runs does nothing, any number of times."""
    api.shutdown()
    api.shutdown()
    assert not api.is_initialized()


def init_works_again_after_shutdown(api, start):
    """After ``shutdown``, ``init`` starts a new runtime."""

    @api.remote
    def f():
        return 1

    for _ in range(2):
        start()
        assert got(api, f.remote()) == 1
        api.shutdown()


def a_function_outlives_a_runtime(api, start):
    """A remote function, and a class, that was made before ``init`` works in each runtime."""

    @api.remote
    def f(x):
        return x + 1

    @api.remote
    class A:
        def g(self):
            return "g"

    for n in range(2):
        start()
        assert got(api, [f.remote(n), A.remote().g.remote()]) == [n + 1, "g"]
        api.shutdown()


def init_twice_raises(api, start):
    """``init`` raises RuntimeError when there is a runtime already, which goes on."""
    start()
    with pytest.raises(RuntimeError):
        start()
    assert got(api, api.put(1)) == 1


def init_twice_can_be_allowed(api, start):
    """With ``ignore_reinit_error``, another ``init`` changes nothing and raises nothing."""
    start(num_cpus=3)
    ref = api.put("kept")
    start(num_cpus=5, ignore_reinit_error=True)
    assert got(api, ref) == "kept"
    assert api.cluster_resources()["CPU"] == 3


def what_init_returns_can_be_used_in_with(api, start):
    """What ``init`` returns shuts down at the end of a ``with``."""
    with start():
        assert got(api, api.put(1)) == 1
    assert not api.is_initialized()


def with_shuts_down_after_an_error(api, start):
    """It does so when the block raises, and lets the error through."""
    with pytest.raises(KeyError), start():
        raise KeyError
    assert not api.is_initialized()


def what_init_returns_knows_the_node(api, start):
    """What ``init`` returns has the node's id in its ``address_info``."""
    session = start()
    assert session.address_info["node_id"] == api.get_runtime_context().get_node_id()
    assert "node_id" in session
    assert len(session) == len(list(session)) == len(session.address_info)


def init_tells_versions(api, start):
    """What ``init`` returns tells which versions of Python and Ray these are."""
    session = start()
    assert session.python_version == platform.python_version()
    assert session.ray_version.split(".")[0] == "2"
    assert session.ray_commit


def what_init_returns_knows_the_address(api, start):
    """``address_info`` has the head's address, which is the context's ``gcs_address``."""
    session = start()
    assert session.address_info["address"] == api.get_runtime_context().gcs_address


def resources_are_what_init_was_told(api, start):
    """``cluster_resources`` has the CPUs, GPUs and custom resources that ``init`` was told."""
    start(num_cpus=3, num_gpus=2, resources={"widget": 2})
    found = api.cluster_resources()
    assert (found["CPU"], found["GPU"], found["widget"]) == (3, 2, 2)


def resources_are_free_at_first(api, start):
    """At first, all of them are in ``available_resources``."""
    start(num_cpus=3, resources={"widget": 2})
    found = api.available_resources()
    assert (found["CPU"], found["widget"]) == (3, 2)


def init_without_cpus(api, start):
    """With ``num_cpus=0``, tasks that need none run, and others wait."""

    @api.remote
    def f():
        return 1

    start(num_cpus=0)
    waits = f.remote()
    assert got(api, f.options(num_cpus=0).remote()) == 1
    assert api.wait([waits], timeout=0.2) == ([], [waits])


def a_namespace_can_be_chosen(api, start):
    """``init(namespace=…)`` is the namespace of this program."""
    start(namespace="mine")
    assert api.get_runtime_context().namespace == "mine"


def a_namespace_is_anonymous_otherwise(api, start):
    """Without ``namespace``, a runtime has one whose name nobody can guess."""
    start()
    assert len(api.get_runtime_context().namespace) > 16


def a_namespace_is_a_text(api, start):
    """A namespace that is no text is refused."""
    with pytest.raises((TypeError, ValueError)):
        start(namespace=1)


def negative_resources_are_refused(api, start):
    """A negative amount of a custom resource is refused."""
    with pytest.raises(ValueError):
        start(resources={"widget": -1})


def cpus_are_not_a_custom_resource(api, start):
    """CPUs and GPUs have options of their own: naming them in ``resources`` is refused."""
    with pytest.raises((ValueError, AssertionError)):
        start(resources={"CPU": 1})


def an_unknown_option_of_init_is_refused(api, start):
    """An option that ``init`` does not have raises an error, and nothing has started."""
    with pytest.raises((TypeError, RuntimeError)):
        start(no_such_option=1)
    assert not api.is_initialized()


def asking_starts_nothing(api):
    """``is_initialized`` starts nothing."""
    assert [api.is_initialized() for _ in range(3)] == [False] * 3


def shutdown_ends_what_runs(api, start):
    """``shutdown`` does not wait for tasks that never end."""
    import threading

    @api.remote
    def forever():
        threading.Event().wait()

    start()
    ref = forever.remote()
    assert api.wait([ref], timeout=0.1) == ([], [ref])
    api.shutdown()
    assert not api.is_initialized()


def labels_are_the_nodes(api, start):
    """``init(labels=…)`` are labels of the node, which ``nodes()`` lists."""
    start(labels={"zone": "a"})
    (node,) = api.nodes()
    assert node["Labels"]["zone"] == "a"


def nodes_list_what_each_has(api, start):
    """``nodes()`` lists each node with its id, its name, whether it is alive, and its resources."""
    start(num_cpus=2)
    (node,) = api.nodes()
    assert node["Alive"] is node["alive"] is True
    assert node["NodeName"] == node["NodeManagerAddress"]
    assert {type(node["NodeManagerPort"]), type(node["ObjectManagerPort"])} == {int}
    assert node["Resources"]["CPU"] == 2
    assert node["NodeID"] == api.get_runtime_context().get_node_id()


def names_end_with_the_runtime(api, start):
    """A new runtime knows no names of the one before."""

    class A:
        pass

    start(namespace="same")
    kept = api.remote(A).options(name="gone", lifetime="detached").remote()
    got(api, kept.__ray_ready__.remote())
    api.shutdown()
    start(namespace="same")
    with pytest.raises(ValueError):
        api.get_actor("gone")


def a_put_before_init_starts_it(api):
    """``put`` before ``init`` starts the runtime, with the defaults."""
    assert got(api, api.put(1)) == 1
    assert api.is_initialized()


def a_call_before_init_starts_it(api):
    """``.remote()`` before ``init`` starts the runtime, with the defaults."""

    @api.remote
    def f():
        return 1

    assert got(api, f.remote()) == 1
    assert api.is_initialized()


def custom_resources_may_be_fractions(api, start):
    """A custom resource may be a fraction: tasks can have parts of it."""
    start(resources={"widget": 0.5})
    assert api.cluster_resources()["widget"] == 0.5

    @api.remote(num_cpus=0, resources={"widget": 0.25})
    def f():
        return "ran"

    assert got(api, [f.remote() for _ in range(3)]) == ["ran"] * 3


def memory_is_counted(api, start):
    """``_memory`` of ``init`` is how much there is for tasks that ask for ``memory``, as accounting."""
    start(_memory=500 * 2**20)
    assert api.cluster_resources()["memory"] == 500 * 2**20
    large = api.remote(num_cpus=0, memory=600 * 2**20)(_one).remote()
    small = api.remote(num_cpus=0, memory=400 * 2**20)(_one).remote()
    assert got(api, small) == 1
    assert api.wait([large], timeout=0.1) == ([], [large])


def _one():
    return 1


def job_and_driver_must_not_differ(api, start):
    """An environment variable of which ``job_config`` and ``runtime_env`` say different things raises ValueError."""
    job = api.job_config.JobConfig(runtime_env={"env_vars": {"CONFORM_A": "1"}})
    with pytest.raises(ValueError):
        start(job_config=job, runtime_env={"env_vars": {"CONFORM_A": "2"}})


def a_job_config_has_the_environment(api, start):
    """``job_config`` is another way to give ``init`` an environment and a namespace."""
    job = api.job_config.JobConfig(runtime_env={"env_vars": {"CONFORM_A": "1"}}, ray_namespace="ours")
    start(job_config=job)
    assert api.get_runtime_context().namespace == "ours"

    @api.remote
    def asks():
        return os.environ.get("CONFORM_A")

    assert got(api, asks.remote()) == "1"


def a_job_config_says_how_long_actors_live(api, start):
    """With ``JobConfig(default_actor_lifetime="detached")``, actors are detached that do not say otherwise."""
    start(job_config=api.job_config.JobConfig(default_actor_lifetime="detached"))

    @api.remote(num_cpus=0)
    class Actor:
        def call(self):
            return 1

    @api.remote
    def makes(**options):
        return api.get(Actor.options(**options).remote().call.remote())

    assert got(api, makes.remote(name="detached")) == 1
    assert got(api, makes.remote(name="not detached", lifetime="non_detached")) == 1
    assert got(api, Actor.options(name="of the driver").remote().call.remote()) == 1
    until(lambda: "not detached" not in api.util.list_named_actors())
    for name in ("detached", "of the driver"):
        assert got(api, api.get_actor(name).call.remote()) == 1
