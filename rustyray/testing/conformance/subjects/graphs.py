"""Graphs of calls that are bound first and executed later."""

from types import SimpleNamespace

import pytest

from rustyray.testing.conformance.helpers import got


def _add(api):
    @api.remote(num_cpus=0)
    def add(a, b=0):
        return a + b

    return add


def _sums(api):
    @api.remote(num_cpus=0)
    class Sums:
        def __init__(self, first=0):
            self.all = [first]

        def add(self, amount):
            self.all.append(amount)
            return sum(self.all)

        def seen(self):
            return self.all

        def both(self):
            return 1, 2

    return Sums


def nodes_are_arguments_of_nodes(api):
    """``execute`` runs the tasks that were bound, and passes results on; it returns a ref."""
    add = _add(api)
    graph = add.bind(add.bind(1, 2), b=add.bind(3, b=4))
    ref = graph.execute()
    assert isinstance(ref, api.ObjectRef)
    assert got(api, ref) == 10


def nothing_runs_before_execute(api, tmp_path):
    """``bind`` runs nothing; ``execute`` does, as often as it is called."""

    @api.remote(num_cpus=0)
    def leaves_a_mark():
        (tmp_path / str(len(list(tmp_path.iterdir())))).touch()

    graph = leaves_a_mark.bind()
    assert not list(tmp_path.iterdir())
    got(api, graph.execute())
    got(api, graph.execute())
    assert len(list(tmp_path.iterdir())) == 2


def a_shared_node_runs_once(api, tmp_path):
    """A node that several others need runs once in each execution."""

    @api.remote(num_cpus=0)
    def marks(name):
        with (tmp_path / name).open("a") as file:
            file.write("x")
        return 1

    add = _add(api)
    once = marks.bind("mark")
    assert got(api, add.bind(once, add.bind(once, once)).execute()) == 3
    assert (tmp_path / "mark").read_text() == "x"


def nodes_in_lists_are_found(api):
    """A node in a list or dict among the arguments is run; the function gets a ref there, as with ``.remote``."""
    add = _add(api)

    @api.remote(num_cpus=0)
    def total(parts):
        return sum(api.get(parts["all"]))

    assert got(api, total.bind({"all": [add.bind(1, 2), add.bind(3, 4)]}).execute()) == 10


def input_is_what_execute_gets(api):
    """``InputNode`` stands for the argument of ``execute``."""
    add = _add(api)
    with api.dag.InputNode() as given:
        graph = add.bind(add.bind(given, 1), given)
    assert got(api, graph.execute(2)) == 5
    assert got(api, graph.execute(20)) == 41


def input_can_have_several_parts(api):
    """``given[0]`` and ``given.name`` are the arguments of ``execute`` by place and name, where there are several."""
    with api.dag.InputNode() as given:
        graph = _add(api).bind(given[0], given.x)
    assert got(api, graph.execute(1, x=2)) == 3


def input_can_be_taken_apart(api):
    """Of one argument ``given[…]`` is an item, and ``given.name`` an attribute."""
    add = _add(api)
    with api.dag.InputNode() as given:
        items, attributes = add.bind(given[0], given[1]), add.bind(given.a, given.b)
    with api.dag.InputNode() as given:
        keys = add.bind(given["a"], given["b"])
    assert got(api, items.execute([1, 2])) == 3
    assert got(api, keys.execute({"a": 3, "b": 4})) == 7
    assert got(api, attributes.execute(SimpleNamespace(a=5, b=6))) == 11


def several_outputs(api):
    """``MultiOutputNode`` makes ``execute`` return a list of refs."""
    add = _add(api)
    with api.dag.InputNode() as given:
        graph = api.dag.MultiOutputNode([add.bind(given, 1), add.bind(given, 2)])
    assert got(api, graph.execute(10)) == [11, 12]


def actors_are_made_at_each_execution(api):
    """An actor class that was bound makes an actor for each execution; its methods run in the order of ``bind``."""
    sums = _sums(api).bind(10)
    sums.add.bind(1)
    graph = sums.add.bind(2)
    assert got(api, graph.execute()) == 13
    assert got(api, graph.execute()) == 13
    handle = sums.execute()
    assert got(api, handle.seen.remote()) == [10]


def actors_that_are_there_can_be_bound(api):
    """Methods of an actor that is there can be bound: it keeps its state from one execution to the next."""
    sums = _sums(api).remote()
    with api.dag.InputNode() as given:
        graph = sums.add.bind(given)
    assert [got(api, graph.execute(number)) for number in (1, 2, 3)] == [1, 3, 6]


def methods_with_several_returns(api):
    """A method that was bound with ``num_returns=2`` is two nodes."""
    sums = _sums(api).remote()
    one, two = sums.both.options(num_returns=2).bind()
    assert got(api, _add(api).bind(one, two).execute()) == 3


def options_are_kept(api):
    """``.options(…).bind(…)`` runs with those options."""

    @api.remote(num_cpus=0)
    def name():
        return api.get_runtime_context().get_task_name()

    assert got(api, name.options(name="bound").bind().execute()) == "bound"
    named = _sums(api).options(name="bound actor").bind(4)
    handle = named.execute()
    assert got(api, api.get_actor("bound actor").seen.remote()) == [4]
    del handle


def an_error_is_the_results_of_all_behind_it(api):
    """A task that fails fails those that need its result."""

    @api.remote(num_cpus=0)
    def fails():
        raise KeyError("no")

    with pytest.raises(KeyError):
        got(api, _add(api).bind(fails.bind(), 1).execute())


def constructors_know_no_input(api):
    """A graph's input as an argument of a constructor raises ValueError."""
    with api.dag.InputNode() as given, pytest.raises(ValueError):
        _sums(api).bind(given)


def nodes_are_not_called_remotely(api):
    """A node has no ``remote``: that raises AttributeError."""
    with pytest.raises(AttributeError):
        _add(api).bind(1).remote()


def methods_that_are_not_there_cannot_be_bound(api):
    """A method that the class has not raises AttributeError."""
    with pytest.raises(AttributeError):
        _sums(api).bind().no_such_method.bind()
