"""`rustyray_cluster`: nodes come, go, stop, fall silent and die, native and simulated."""

from __future__ import annotations

import pytest

from tests.integration.plugin.conftest import Suite

#: Runs on both engines.
LIFE = """
    import os
    import pytest
    import rustyray
    from rustyray.exceptions import ActorDiedError, GetTimeoutError

    @rustyray.remote(num_cpus=0)
    class Station:
        def node(self):
            return rustyray.get_runtime_context().get_node_id()
        def reach(self, other, timeout):
            try:
                return rustyray.get(other.node.remote(), timeout=timeout)
            except GetTimeoutError:
                return "nobody"

    def stations(cluster, *nodes):
        made = [Station.options(scheduling_strategy=cluster.on(node)).remote() for node in nodes]
        assert rustyray.get([one.node.remote() for one in made]) == [node.node_id for node in nodes]
        return made

    def test_nodes_come_and_go(rustyray_cluster):
        cluster = rustyray_cluster
        first, second = cluster.nodes
        assert cluster.session.address_info["node_id"] == first.node_id
        third = cluster.add_node(num_cpus=3, resources={"disk": 1})
        assert rustyray.cluster_resources()["CPU"] == 7
        here, there = stations(cluster, second, third)
        cluster.remove_node(second)
        assert cluster.nodes == [first, third]
        cluster.wait_for_nodes(timeout=0)
        with pytest.raises(ActorDiedError):
            rustyray.get(here.node.remote())
        cluster.kill_node(third)
        cluster.wait_for_nodes()
        with pytest.raises(ActorDiedError):
            rustyray.get(there.node.remote())
        for node in (second, third):
            with pytest.raises(ValueError, match="is not a node of this cluster, or was removed or killed"):
                cluster.kill_node(node)
        with pytest.raises(ValueError, match="the first node hosts the head and cannot be removed"):
            cluster.remove_node(first)
        with pytest.raises(TypeError, match="no option 'num_cpu' .did you mean 'num_cpus'"):
            cluster.add_node(num_cpu=1)

    @pytest.mark.rustyray(nodes=3)
    def test_a_partition_keeps_back_what_is_sent_until_it_heals(rustyray_cluster):
        cluster = rustyray_cluster
        first, second, third = cluster.nodes
        a, b = stations(cluster, second, third)
        assert rustyray.get(a.reach.remote(b, 10)) == third.node_id
        cluster.partition(second, third)
        assert rustyray.get([a.node.remote(), b.node.remote()]) == [second.node_id, third.node_id]
        assert rustyray.get(a.reach.remote(b, 0.2)) == "nobody"
        waits = a.reach.remote(b, None)
        late, = stations(cluster, third)  # its worker was forked during the partition
        assert rustyray.get(late.reach.remote(a, 0.2)) == "nobody"
        assert rustyray.wait([waits], timeout=0.1)[0] == []
        cluster.heal(third, second)
        assert rustyray.get(waits, timeout=10) == third.node_id
        assert rustyray.get(late.reach.remote(a, 10)) == second.node_id
        cluster.partition(first, [second, third])
        cluster.partition(second, third)
        cluster.heal()
        assert rustyray.get(b.reach.remote(a, 10)) == second.node_id
        cluster.wait_for_nodes(timeout=0)
        with pytest.raises(ValueError, match="is on both sides"):
            cluster.partition(second, [first, second])
        with pytest.raises(ValueError, match="takes two sides, or none"):
            cluster.heal(second)

    @pytest.mark.rustyray(nodes=[{"num_cpus": 1}, {"num_cpus": 0, "resources": {"disk": 1}}])
    def test_a_paused_node_does_nothing_until_it_goes_on(rustyray_cluster):
        cluster = rustyray_cluster
        assert rustyray.cluster_resources()["CPU"] == 1
        first, second = cluster.nodes
        station, = stations(cluster, second)
        cluster.pause(second)
        answer = station.node.remote()
        assert rustyray.wait([answer], timeout=0.2)[0] == []
        with pytest.raises(RuntimeError, match="is paused cannot be told of partitions"):
            cluster.partition(first, second)
        cluster.resume(second)
        assert rustyray.get(answer, timeout=10) == second.node_id

    def test_what_is_paused_and_apart_ends_all_the_same(rustyray_cluster):
        first, second = rustyray_cluster.nodes
        third = rustyray_cluster.add_node()
        stations(rustyray_cluster, *rustyray_cluster.nodes)
        rustyray_cluster.partition(first, second)
        rustyray_cluster.pause(third)
        (rustyray_cluster.session.address_info)  # and nobody undoes it

    def test_the_test_may_end_it_itself(rustyray_cluster):
        rustyray_cluster.pause(rustyray_cluster.nodes[1])
        rustyray.shutdown()
        assert repr(rustyray_cluster) == "<cluster of 2 nodes>"
"""
NATIVE = """
    import os
    from pathlib import Path
    import pytest
    import rustyray

    @rustyray.remote
    def pid():
        return os.getpid()

    def test_the_first_node_may_be_killed(rustyray_cluster):
        rustyray.get(pid.remote())
        rustyray_cluster.kill_node(rustyray_cluster.nodes[0])
        with pytest.raises(Exception, match="node process .* is gone|was killed by signal 9"):
            rustyray.get(pid.remote())

    def test_workers_stop_with_their_node(rustyray_cluster):
        node = rustyray_cluster.nodes[0]
        worker = rustyray.get(pid.options(scheduling_strategy=rustyray_cluster.on(node)).remote())
        def state(process):
            return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        rustyray_cluster.pause(node)
        assert [state(node.pid), state(worker)] == ["T", "T"]
        rustyray_cluster.resume(node)
        assert rustyray.get(pid.remote(), timeout=10) > 0
        rustyray_cluster.pause(node)

    def test_the_next_is_not_held_up(rustyray_cluster):
        assert rustyray.get(pid.remote(), timeout=10) > 0
"""


@pytest.mark.parametrize("topology", ["cluster", "sim"])
def test_nodes_come_go_and_fail(suite: Suite, topology: str) -> None:
    result = suite.write(test_it=LIFE).run(f"--rustyray-topology={topology}")
    result.assert_outcomes(passed=5)


def test_processes_are_killed_and_stopped(suite: Suite) -> None:
    suite.write(test_it=NATIVE).run().assert_outcomes(passed=3)


WRONG = """
    import pytest
    import rustyray

    @pytest.mark.rustyray(nodes=3)
    def test_no_cluster(rustyray_local): ...

    @pytest.mark.rustyray(nodes=[{"num_cpus": 1}], topology="cluster")
    def test_options(rustyray_local): ...

    @pytest.mark.rustyray(nodes=2, topology=["cluster", "local"])
    def test_counted(rustyray_runtime, request):
        wanted = {"cluster": 2, "local": 1}[request.node.callspec.params["rustyray_runtime"]]
        assert len(rustyray.nodes()) == wanted

    @pytest.mark.rustyray(topology=["cluster:3", "sim"])
    def test_each(rustyray_cluster, request):
        wanted = {"cluster:3": 3, "sim": 2}[request.node.callspec.params["rustyray_cluster"]]
        assert len(rustyray_cluster.nodes) == len(rustyray.nodes()) == wanted

    @pytest.mark.rustyray(topology="sim")
    def test_the_first_simulated_node(rustyray_cluster):
        for fails in (rustyray_cluster.kill_node, rustyray_cluster.pause):
            with pytest.raises(rustyray.exceptions.SimulationError, match="lives as long as that"):
                fails(rustyray_cluster.nodes[0])
"""


def test_nodes_that_cannot_be_had_are_told(suite: Suite) -> None:
    result = suite.write(test_it=WRONG).run()
    result.assert_outcomes(passed=5, errors=2)
    result.stdout.fnmatch_lines(
        [
            "*::test_no_cluster: nodes has no effect on topology='local': write topology='cluster', or use *",
            "*::test_options: nodes with options of their own are for rustyray_cluster: give rustyray_local a number",
        ]
    )
