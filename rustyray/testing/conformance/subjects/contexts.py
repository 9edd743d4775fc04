"""``get_runtime_context``: where am I?"""

import os
import warnings

import pytest

from rustyray.testing.conformance.helpers import got, until


def _asks(api, question, **options):
    """What a task's context answers."""

    @api.remote(**({"num_cpus": 1} | options))
    def ask():
        return question(api.get_runtime_context())

    return got(api, ask.remote())


def _actor(api, **options):
    """An actor that asks its context."""

    class Asked:
        def ask(self, question):
            return question(api.get_runtime_context())

    return api.remote(**options)(Asked).remote() if options else api.remote(Asked).remote()


def _is_hexadecimal(text):
    return isinstance(text, str) and len(bytes.fromhex(text)) > 0


def ids_are_hexadecimal(api):
    """The ids of job, node and worker are text in hexadecimal."""
    here = api.get_runtime_context()
    assert _is_hexadecimal(here.get_job_id())
    assert _is_hexadecimal(here.get_node_id())
    assert _is_hexadecimal(here.get_worker_id())


def a_task_is_in_its_drivers_job(api):
    """A task has the job id of the driver that it belongs to."""
    assert _asks(api, lambda here: here.get_job_id()) == api.get_runtime_context().get_job_id()


def a_task_in_a_task_is_in_the_same_job(api):
    """So has what a task submits, and an actor that it creates."""

    @api.remote
    def asks():
        return api.get_runtime_context().get_job_id()

    @api.remote
    def outer():
        actor = _actor(api)
        return api.get([asks.remote(), actor.ask.remote(lambda here: here.get_job_id())])

    assert set(got(api, outer.remote())) == {api.get_runtime_context().get_job_id()}


def the_node_is_one_of_nodes(api):
    """The node id is one of those that ``nodes()`` lists."""
    assert _asks(api, lambda here: here.get_node_id()) in {node["NodeID"] for node in api.nodes()}


def a_worker_has_an_id_of_its_own(api):
    """A task has the worker id of the process that it runs in, which is not the driver's."""
    assert _asks(api, lambda here: here.get_worker_id()) != api.get_runtime_context().get_worker_id()


def an_actor_stays_in_its_worker(api):
    """All calls of an actor have the same worker id."""
    actor = _actor(api)
    first, second = got(api, [actor.ask.remote(lambda here: here.get_worker_id()) for _ in range(2)])
    assert first == second


def a_driver_has_no_task(api):
    """In a driver, ``get_task_id`` is None."""
    assert api.get_runtime_context().get_task_id() is None


def each_task_has_an_id(api):
    """Each task has an id of its own."""

    @api.remote
    def asks():
        return api.get_runtime_context().get_task_id()

    first, second = got(api, [asks.remote(), asks.remote()])
    assert _is_hexadecimal(first)
    assert _is_hexadecimal(second)
    assert first != second


def a_tasks_id_is_in_its_ref(api):
    """The task id of a ref is the one that the task itself sees."""

    @api.remote
    def asks():
        return api.get_runtime_context().get_task_id()

    ref = asks.remote()
    assert got(api, ref) == ref.task_id().hex()


def each_call_of_an_actor_is_a_task(api):
    """Each call of an actor's method has a task id of its own."""
    actor = _actor(api)
    first, second = got(api, [actor.ask.remote(lambda here: here.get_task_id()) for _ in range(2)])
    assert _is_hexadecimal(first)
    assert first != second


def a_retry_keeps_the_tasks_id(api, tmp_path):
    """Each attempt of a task has the same task id."""
    seen = tmp_path / "seen"

    @api.remote(max_retries=1, retry_exceptions=True)
    def fails_once():
        mine = api.get_runtime_context().get_task_id()
        if not seen.exists():
            seen.write_text(mine)
            raise ValueError
        return seen.read_text(), mine

    first, second = got(api, fails_once.remote())
    assert first == second


def a_plain_task_has_its_functions_name(api):
    """Without a name of its own, a task is called as its function."""

    @api.remote
    def asks():
        return api.get_runtime_context().get_task_name()

    assert got(api, asks.remote()) == "asks"


def a_named_task_knows_its_function(api):
    """``get_task_function_name`` is the function's name, whatever the task was called."""

    @api.remote
    def asks():
        here = api.get_runtime_context()
        return here.get_task_name(), here.get_task_function_name().rpartition(".")[2]

    assert got(api, asks.options(name="other").remote()) == ("other", "asks")


def a_method_is_named_with_its_class(api):
    """A call of an actor is named by class and method."""
    name = got(api, _actor(api).ask.remote(lambda here: here.get_task_name()))
    assert name == "Asked.ask"


def a_call_has_the_name_that_it_was_given(api):
    """``get_task_name`` in a method is the name that the call was given with ``.options(name=…)``."""
    ask = _actor(api).ask
    assert got(api, ask.options(name="my call").remote(lambda here: here.get_task_name())) == "my call"
    assert got(api, ask.remote(lambda here: here.get_task_name())) != "my call"


def a_driver_has_no_task_name(api):
    """In a driver, the names of task and function are None."""
    here = api.get_runtime_context()
    assert here.get_task_name() is None
    assert here.get_task_function_name() is None


def outside_actors_there_is_no_actor_id(api):
    """In drivers and plain tasks, ``get_actor_id`` is None."""
    assert api.get_runtime_context().get_actor_id() is None
    assert _asks(api, lambda here: here.get_actor_id()) is None


def an_actor_knows_its_id(api):
    """All calls of an actor have its id, and another actor another."""
    one, other = _actor(api), _actor(api)
    refs = [actor.ask.remote(lambda here: here.get_actor_id()) for actor in (one, one, other)]
    first, again, second = got(api, refs)
    assert _is_hexadecimal(first)
    assert first == again != second


def an_actor_knows_its_id_in_its_constructor(api):
    """An actor has its id, name and current_actor in ``__init__`` already."""

    @api.remote
    class Early:
        def __init__(self):
            here = api.get_runtime_context()
            self.seen = here.get_actor_id(), here.get_actor_name()

        def both(self):
            return self.seen, api.get_runtime_context().get_actor_id()

    (id_then, name), id_now = got(api, Early.options(name="early").remote().both.remote())
    assert id_then == id_now
    assert name == "early"


def an_actor_without_a_name(api):
    """The name of an actor that was given none is empty."""
    assert got(api, _actor(api).ask.remote(lambda here: here.get_actor_name())) == ""


def an_actor_knows_its_name(api):
    """``get_actor_name`` is the name that the actor was given."""
    actor = _actor(api, name="known")
    assert got(api, actor.ask.remote(lambda here: here.get_actor_name())) == "known"


def a_task_in_an_actors_call_is_no_actor(api):
    """A task that an actor submits is outside of it."""

    @api.remote
    def asks():
        return api.get_runtime_context().get_actor_id()

    assert got(api, _actor(api).ask.remote(lambda _: api.get(asks.remote()))) is None


def the_namespace_is_the_drivers(api):
    """Drivers, tasks and actors have the namespace that ``init`` was given."""
    assert api.get_runtime_context().namespace == "conformance"
    assert _asks(api, lambda here: here.namespace) == "conformance"
    assert got(api, _actor(api).ask.remote(lambda here: here.namespace)) == "conformance"


def the_head_has_one_address(api):
    """``gcs_address`` is the same text everywhere."""
    mine = api.get_runtime_context().gcs_address
    assert mine
    assert _asks(api, lambda here: here.gcs_address) == mine


def the_session_has_one_name(api):
    """``get_session_name`` is the same everywhere."""
    mine = api.get_runtime_context().get_session_name()
    assert mine
    assert _asks(api, lambda here: here.get_session_name()) == mine


def a_plain_task_holds_one_cpu(api):
    """``get_assigned_resources`` of a task that asked for nothing else is one CPU."""

    @api.remote
    def asks():
        return api.get_runtime_context().get_assigned_resources()

    assert got(api, asks.remote()) == {"CPU": 1}


def a_task_knows_what_it_holds(api):
    """``get_assigned_resources`` has all that a task asked for, fractions too."""
    options = {"num_cpus": 2, "num_gpus": 0.5, "resources": {"widget": 1.5}}
    found = _asks(api, lambda here: here.get_assigned_resources(), **options)
    assert found == {"CPU": 2, "GPU": 0.5, "widget": 1.5}


def a_plain_actor_holds_nothing(api):
    """``get_assigned_resources`` of an actor that asked for nothing is empty."""
    assert got(api, _actor(api).ask.remote(lambda here: here.get_assigned_resources())) == {}


def an_actor_holds_what_it_asked_for(api):
    """``get_assigned_resources`` of an actor's call is what the actor holds."""
    actor = _actor(api, num_cpus=2, resources={"widget": 1})
    assert got(api, actor.ask.remote(lambda here: here.get_assigned_resources())) == {"CPU": 2, "widget": 1}


def a_new_actor_was_not_reconstructed(api):
    """``was_current_actor_reconstructed`` is False in an actor that never was restarted."""
    assert got(api, _actor(api).ask.remote(lambda here: here.was_current_actor_reconstructed)) is False


def a_restarted_actor_was_reconstructed(api):
    """``was_current_actor_reconstructed`` is True in an actor that was restarted."""
    actor = _actor(api, max_restarts=1, max_task_retries=0)
    actor.ask.remote(lambda _: os._exit(1))

    def answers():
        try:
            return got(api, actor.ask.remote(lambda here: here.was_current_actor_reconstructed))
        except api.exceptions.RayActorError:
            return False

    assert until(answers) is True


def current_actor_is_a_handle(api):
    """``current_actor`` is a handle of the actor itself, which others can use."""

    @api.remote
    class Named:
        def me(self):
            return api.get_runtime_context().current_actor

        def value(self):
            return "mine"

    actor = Named.remote()
    assert got(api, got(api, actor.me.remote()).value.remote()) == "mine"


def outside_actors_there_is_no_current_actor(api):
    """``current_actor`` raises RuntimeError outside actors."""
    with pytest.raises(RuntimeError):
        _ = api.get_runtime_context().current_actor


def outside_groups_there_is_no_group(api):
    """``get_placement_group_id`` is None where there is no group."""
    assert api.get_runtime_context().get_placement_group_id() is None
    assert _asks(api, lambda here: here.get_placement_group_id()) is None


def a_driver_cannot_be_cancelled(api):
    """``is_canceled`` raises RuntimeError in a driver."""
    with pytest.raises(RuntimeError):
        api.get_runtime_context().is_canceled()


def temporary_files_have_a_directory(api):
    """``get_temp_dir`` is a directory of the node."""
    assert os.path.isdir(api.get_runtime_context().get_temp_dir())
    assert _asks(api, lambda here: os.path.isdir(here.get_temp_dir()))


def older_programs_ask_for_a_dict(api):
    """``get`` has the ids of job and node, and the namespace; in a task its id, in an actor the actor's as well."""

    def keys(here):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return set(here.get())

    mine = keys(api.get_runtime_context())
    assert mine == {"job_id", "node_id", "namespace"}
    assert _asks(api, keys) == mine | {"task_id"}
    assert got(api, _actor(api).ask.remote(keys)) == mine | {"task_id", "actor_id"}


def a_task_that_nobody_cancelled(api):
    """``is_canceled`` is False in a task that nobody cancelled."""
    assert _asks(api, lambda here: here.is_canceled()) is False
