"""Tasks and actors that are for nodes with certain labels. (The nodes here have none of these.)"""

import pytest

from rustyray.testing.conformance.helpers import got


def _submit(api, **options):
    """A task with these options."""

    @api.remote(num_cpus=0)
    def f():
        return True

    return f.options(**options).remote()


def _runs(api, **options):
    """Whether such a task runs."""
    return got(api, _submit(api, **options))


def _waits(api, **options):
    """Whether it does not, for a while."""
    _, waiting = api.wait([_submit(api, **options)], timeout=0.5)
    for ref in waiting:
        api.cancel(ref)
    return bool(waiting)


def a_selector_that_no_node_fits_waits(api):
    """A task whose ``label_selector`` no node fits waits: that is no error."""
    assert _waits(api, label_selector={"zone": "here"})
    assert _runs(api, label_selector={"zone": "!here"})


def each_node_has_a_label_of_its_id(api):
    """The label ``ray.io/node-id`` of each node is its id."""
    node = api.get_runtime_context().get_node_id()
    assert all(one["Labels"]["ray.io/node-id"] == one["NodeID"] for one in api.nodes())
    assert api.get_runtime_context().get_node_labels()["ray.io/node-id"] == node
    assert _runs(api, label_selector={"ray.io/node-id": node})
    assert _waits(api, label_selector={"ray.io/node-id": f"!{node}"})


def the_keys_of_labels_have_a_form(api):
    """A key has letters, digits, ``-``, ``_`` and ``.``, and maybe a domain before a ``/``; otherwise ValueError."""
    for wrong in ("zo ne", "-zone", "zone-", "", "a b/zone"):
        with pytest.raises(ValueError):
            _submit(api, label_selector={wrong: "here"})
    assert _runs(api, label_selector={"some.domain/zone_1.a-b": "!here"})


def a_fallback_counts_where_no_node_fits(api):
    """Where no node fits the ``label_selector``, the first of ``fallback_strategy`` counts that a node fits."""
    none, other, anywhere = ({"label_selector": {"zone": zone}} for zone in ("here", "there", "!here"))
    assert _runs(api, fallback_strategy=[other, anywhere], **none)
    assert _waits(api, fallback_strategy=[other], **none)
    assert _runs(api, fallback_strategy=[{"label_selector": {}}], **none)
    assert _runs(api, fallback_strategy=[other])


def an_actor_falls_back_too(api):
    """``fallback_strategy`` says the same of actors."""

    @api.remote(label_selector={"zone": "here"}, fallback_strategy=[{"label_selector": {"zone": "!there"}}])
    class A:
        def f(self):
            return 1

    assert got(api, A.remote().f.remote()) == 1


def a_fallback_is_a_selector_and_nothing_else(api):
    """A fallback with other options than ``label_selector``, or without any, raises ValueError."""
    for wrong in ({}, {"num_cpus": 1}, {"label_selector": {"zone": "here"}, "resources": {"widget": 1}}, "here"):
        with pytest.raises(ValueError):
            _runs(api, fallback_strategy=[wrong])


def fallbacks_are_a_list(api):
    """``fallback_strategy`` that is no list raises TypeError."""
    with pytest.raises(TypeError):
        _runs(api, fallback_strategy={"label_selector": {"zone": "here"}})
