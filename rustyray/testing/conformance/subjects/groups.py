"""Placement groups: resources that are reserved together."""

import pytest

from rustyray.testing.conformance.helpers import entered, gate, got, patience, until

TOPOLOGY = "cluster"


def _group(api, bundles, strategy="PACK", **more):
    """A group that is there."""
    group = api.util.placement_group(bundles, strategy=strategy, **more)
    assert group.wait(patience())
    return group


def _inside(api, group, bundle=-1, capture=False):
    return api.util.scheduling_strategies.PlacementGroupSchedulingStrategy(
        placement_group=group,
        placement_group_bundle_index=bundle,
        placement_group_capture_child_tasks=capture,
    )


def _nodes_of(api, group):
    return list(api.util.placement_group_table(group)["bundles_to_node_id"].values())


def _where(api):
    @api.remote(num_cpus=1)
    def where():
        return api.get_runtime_context().get_node_id()

    return where


def _removed(api, *groups):
    """Remove the groups, and wait until what they held is free."""
    for group in groups:
        api.util.remove_placement_group(group)
    until(lambda: api.available_resources().get("CPU") == 6)


def ready_has_the_group(api):
    """``ready()`` is a ref that has its value when all bundles are reserved."""
    group = api.util.placement_group([{"CPU": 1}])
    got(api, group.ready())
    assert api.util.placement_group_table(group)["state"] == "CREATED"
    _removed(api, group)


def wait_says_whether_it_is_there(api):
    """``wait`` is True when all bundles are reserved, and False after so many seconds."""
    first = api.util.placement_group([{"CPU": 2}] * 3)
    assert first.wait(patience()) is True
    second = api.util.placement_group([{"CPU": 1}])
    assert second.wait(0.1) is False
    _removed(api, second, first)


def a_group_knows_its_bundles(api):
    """``bundle_specs`` and ``bundle_count`` are what the group was made of."""
    group = _group(api, [{"CPU": 1}, {"CPU": 1, "widget": 1}])
    assert group.bundle_specs == [{"CPU": 1}, {"CPU": 1, "widget": 1}]
    assert group.bundle_count == 2
    _removed(api, group)


def strict_pack_is_one_node(api):
    """STRICT_PACK reserves all bundles on one node."""
    group = _group(api, [{"CPU": 1}, {"CPU": 1}], "STRICT_PACK")
    assert len(set(_nodes_of(api, group))) == 1
    _removed(api, group)


def strict_pack_waits_for_one_node(api):
    """STRICT_PACK waits when no node has room for all bundles."""
    group = api.util.placement_group([{"CPU": 2}, {"CPU": 2}], strategy="STRICT_PACK")
    assert not group.wait(0.2)
    _removed(api, group)


def strict_spread_is_a_node_each(api):
    """STRICT_SPREAD reserves each bundle on a node of its own."""
    group = _group(api, [{"CPU": 1}] * 3, "STRICT_SPREAD")
    assert len(set(_nodes_of(api, group))) == 3
    _removed(api, group)


def strict_spread_waits_for_nodes(api):
    """STRICT_SPREAD waits when there are more bundles than nodes."""
    group = api.util.placement_group([{"CPU": 0.1}] * 4, strategy="STRICT_SPREAD")
    assert not group.wait(0.2)
    _removed(api, group)


def pack_is_one_node_if_it_can_be(api):
    """PACK reserves on one node what fits on one."""
    group = _group(api, [{"CPU": 1}, {"CPU": 1}], "PACK")
    assert len(set(_nodes_of(api, group))) == 1
    _removed(api, group)


def pack_takes_more_nodes_where_it_must(api):
    """PACK takes several nodes for what does not fit on one."""
    group = _group(api, [{"CPU": 2}, {"CPU": 2}], "PACK")
    assert len(set(_nodes_of(api, group))) == 2
    _removed(api, group)


def spread_takes_many_nodes(api):
    """SPREAD reserves on as many nodes as it can."""
    group = _group(api, [{"CPU": 1}] * 3, "SPREAD")
    assert len(set(_nodes_of(api, group))) == 3
    _removed(api, group)


def spread_doubles_up_where_it_must(api):
    """SPREAD puts two bundles on a node when there are more bundles than nodes."""
    group = _group(api, [{"CPU": 1}] * 4, "SPREAD")
    assert len(set(_nodes_of(api, group))) == 3
    _removed(api, group)


def groups_are_atomic(api):
    """A group that waits holds nothing: others can have what is free."""
    waiting = api.util.placement_group([{"CPU": 2}] * 4)
    assert not waiting.wait(0.1)
    assert got(api, [_where(api).options(num_cpus=2).remote() for _ in range(3)])
    _removed(api, waiting)


def a_group_holds_its_resources(api):
    """What a group reserves is not available to others."""
    group = _group(api, [{"CPU": 2}] * 3)
    outside = _where(api).remote()
    assert api.wait([outside], timeout=0.2) == ([], [outside])
    _removed(api, group)
    assert got(api, outside)


def a_task_runs_in_its_bundle(api):
    """A task with a bundle's index runs on the node of that bundle."""
    group = _group(api, [{"CPU": 1}] * 3, "STRICT_SPREAD")
    refs = [_where(api).options(scheduling_strategy=_inside(api, group, n)).remote() for n in range(3)]
    assert got(api, refs) == _nodes_of(api, group)
    _removed(api, group)


def a_task_without_an_index_runs_in_any(api):
    """A task without an index runs in any bundle that has room."""
    group = _group(api, [{"CPU": 1}] * 3, "STRICT_SPREAD")
    found = got(api, _where(api).options(scheduling_strategy=_inside(api, group)).remote())
    assert found in _nodes_of(api, group)
    _removed(api, group)


def an_actor_lives_in_its_bundle(api):
    """An actor with a bundle's index lives on the node of that bundle."""
    group = _group(api, [{"CPU": 1}] * 2, "STRICT_SPREAD")

    @api.remote(num_cpus=1)
    class A:
        def where(self):
            return api.get_runtime_context().get_node_id()

    actor = A.options(scheduling_strategy=_inside(api, group, 1)).remote()
    assert got(api, actor.where.remote()) == _nodes_of(api, group)[1]
    _removed(api, group)


def an_index_out_of_range_is_refused(api):
    """A bundle index that the group does not have raises ValueError."""
    group = _group(api, [{"CPU": 1}])
    with pytest.raises(ValueError):
        _where(api).options(scheduling_strategy=_inside(api, group, 1)).remote()
    _removed(api, group)


def what_fits_in_no_bundle_is_refused(api):
    """A task that needs more than any bundle has raises ValueError."""
    group = _group(api, [{"CPU": 1}])
    with pytest.raises(ValueError):
        _where(api).options(num_cpus=2, scheduling_strategy=_inside(api, group)).remote()
    _removed(api, group)


def children_are_not_captured(api):
    """What a task in a group submits itself runs outside of the group."""
    assert _child_group(api, capture=False) is None


def children_can_be_captured(api):
    """With ``placement_group_capture_child_tasks``, it runs in the group, too."""
    assert _child_group(api, capture=True) is not None


def _child_group(api, capture):
    group = _group(api, [{"CPU": 2}])

    @api.remote(num_cpus=1)
    def child():
        return api.get_runtime_context().get_placement_group_id()

    @api.remote(num_cpus=1)
    def parent():
        return api.get(child.remote())

    found = got(api, parent.options(scheduling_strategy=_inside(api, group, capture=capture)).remote())
    assert found in (None, group.id.hex())
    _removed(api, group)
    return found


def a_task_knows_its_group(api):
    """``get_current_placement_group`` is the group that the task runs in."""
    group = _group(api, [{"CPU": 1}])

    @api.remote(num_cpus=1)
    def current():
        return api.util.get_current_placement_group().id.hex()

    assert got(api, current.options(scheduling_strategy=_inside(api, group)).remote()) == group.id.hex()
    _removed(api, group)


def a_driver_is_in_no_group(api):
    """``get_current_placement_group`` is None in a driver."""
    assert api.util.get_current_placement_group() is None


def a_named_group_can_be_found(api):
    """``get_placement_group`` finds a group by its name."""
    group = _group(api, [{"CPU": 1}], name="findable")
    assert api.util.get_placement_group("findable").id == group.id
    _removed(api, group)


def an_unknown_name_is_refused(api):
    """``get_placement_group`` raises ValueError where no group has the name."""
    with pytest.raises(ValueError):
        api.util.get_placement_group("nobody")


def the_table_says_what_a_group_is(api):
    """``placement_group_table`` has a group's id, name, strategy, bundles and state."""
    group = _group(api, [{"CPU": 1}, {"widget": 1}], "SPREAD", name="listed")
    row = api.util.placement_group_table(group)
    assert (row["placement_group_id"], row["name"]) == (group.id.hex(), "listed")
    assert (row["strategy"], row["state"]) == ("SPREAD", "CREATED")
    assert row["bundles"] == {0: {"CPU": 1}, 1: {"widget": 1}}
    assert set(row["bundles_to_node_id"]) == {0, 1}
    _removed(api, group)


def the_table_lists_all_groups(api):
    """Without a group, ``placement_group_table`` has all of them by id."""
    group = _group(api, [{"CPU": 1}])
    assert api.util.placement_group_table()[group.id.hex()]["state"] == "CREATED"
    _removed(api, group)


def a_removed_group_is_listed_as_such(api):
    """The state of a group that was removed is REMOVED."""
    group = _group(api, [{"CPU": 1}])
    _removed(api, group)
    until(lambda: api.util.placement_group_table(group)["state"] == "REMOVED")


def removing_kills_actors(api):
    """Removing a group kills the actors in it."""
    group = _group(api, [{"CPU": 1}])

    @api.remote(num_cpus=1)
    class A:
        def f(self):
            return 1

    actor = A.options(scheduling_strategy=_inside(api, group)).remote()
    assert got(api, actor.f.remote()) == 1
    _removed(api, group)
    with pytest.raises(api.exceptions.RayActorError):
        until(lambda: got(api, actor.f.remote()) != 1)


def removing_frees_resources(api):
    """What a removed group held is available again."""
    group = _group(api, [{"CPU": 2}] * 3)
    _removed(api, group)
    assert got(api, _where(api).remote())


def removing_twice_is_no_error(api):
    """Removing a group again does nothing."""
    group = _group(api, [{"CPU": 1}])
    _removed(api, group, group)


def a_handle_can_be_passed_on(api):
    """A task can be given a group, and use it."""
    group = _group(api, [{"CPU": 1}])

    @api.remote(num_cpus=0)
    def uses(given):
        return given.id.hex(), given.bundle_count

    assert got(api, uses.remote(group)) == (group.id.hex(), 1)
    _removed(api, group)


def wrong_bundles_are_refused(api):
    """No bundles, an empty bundle, or what is no list of bundles raises ValueError or TypeError."""
    for bundles in ([], [{}], {"CPU": 1}, [{"CPU": 0}]):
        with pytest.raises((ValueError, TypeError)):
            api.util.placement_group(bundles)


def an_unknown_strategy_is_refused(api):
    """A strategy that does not exist raises ValueError."""
    with pytest.raises(ValueError):
        api.util.placement_group([{"CPU": 1}], strategy="SOMEHOW")


def an_unknown_lifetime_is_refused(api):
    """A lifetime other than None and "detached" raises ValueError."""
    with pytest.raises(ValueError):
        api.util.placement_group([{"CPU": 1}], lifetime="long")


def removing_kills_tasks(api):
    """Removing a group ends the tasks in it: their refs raise an error."""
    door = gate(api)
    group = _group(api, [{"CPU": 1}])

    @api.remote(num_cpus=1, max_retries=0)
    def stays():
        api.get(door.enter.remote())

    ref = stays.options(scheduling_strategy=_inside(api, group)).remote()
    entered(api, door)
    _removed(api, group)
    with pytest.raises((api.exceptions.WorkerCrashedError, api.exceptions.TaskPlacementGroupRemoved)):
        got(api, ref)


def negative_bundles_are_refused(api):
    """A negative amount in a bundle raises ValueError."""
    with pytest.raises(ValueError):
        api.util.placement_group([{"CPU": -1}])


def labels_choose_a_bundles_node(api):
    """``bundle_label_selector`` says for each bundle which labels its node must have."""
    zones = {node["Labels"]["zone"]: node["NodeID"] for node in api.nodes() if node["Alive"]}
    selector = [{"zone": "c"}, {"zone": "in(b)"}]
    group = _group(api, [{"CPU": 1}, {"CPU": 1}], "SPREAD", bundle_label_selector=selector)
    assert _nodes_of(api, group) == [zones["c"], zones["b"]]
    _removed(api, group)


def a_group_of_a_removed_name_is_not_found(api):
    """The name of a group that was removed is not found."""
    group = _group(api, [{"CPU": 1}], name="removed")
    _removed(api, group)

    def gone():
        try:
            api.util.get_placement_group("removed")
        except ValueError:
            return True
        return False

    until(gone)
