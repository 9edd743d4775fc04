"""``--rustyray-as-ray``: suites that were written for Ray run as they are."""

from __future__ import annotations

import pytest

from tests.integration.plugin.conftest import Suite

FLAG = "--rustyray-as-ray"
#: Two files of a suite that was written for Ray.
NODES = """
            from pathlib import Path

            import pytest
            import ray
            import rustyray
            from ray._private.test_utils import SignalActor, run_string_as_driver, wait_for_condition

            @ray.remote
            def inside():
                import ray
                from ray.util.queue import Queue
                from ray.util.placement_group import placement_group
                assert callable(ray.util.placement_group)
                return ray.__version__, ray.get(ray.put(1))

            def test_regular(ray_start_regular):
                assert ray_start_regular["node_id"] == ray_start_regular.address_info["node_id"]
                assert ray.ObjectRef is rustyray.ObjectRef
                assert ray.cluster_resources()["CPU"] == 1
                assert ray.get(inside.remote()) == ("2.60.0", 1)
                signal = SignalActor.remote()
                waiting = signal.wait.remote()
                wait_for_condition(lambda: ray.get(signal.cur_num_waiters.remote()) == 1)
                ray.get(signal.send.remote())
                ray.get(waiting)
                with pytest.raises(RuntimeError, match="wasn't met"):
                    wait_for_condition(lambda: False, timeout=0.01)

            @pytest.mark.parametrize("ray_start_regular", [{"num_cpus": 3, "resources": {"a": 1}}], indirect=True)
            def test_parameter(ray_start_regular):
                assert {"CPU": 3, "a": 1}.items() <= ray.cluster_resources().items()

            def test_10(ray_start_10_cpus):
                assert ray.cluster_resources()["CPU"] == 10

            @pytest.mark.parametrize("ray_start_object_store_memory", [2**20], indirect=True)
            def test_store(ray_start_object_store_memory):
                with pytest.raises(ray.exceptions.ObjectStoreFullError):
                    ray.put(bytes(2**21))

            def test_own(shutdown_only):
                ray.init(num_cpus=2, include_dashboard=False)
                program = "import ray; ray.init(num_cpus=1); print(ray.get(ray.put('told')))"
                root = str(Path(rustyray.__file__).parents[1])
                assert run_string_as_driver(program, env={"PYTHONPATH": root}).endswith("told\\n")

            def test_no_dashboard(ray_start_with_dashboard):
                pass

            def test_none_is_up():
                assert not ray.is_initialized()
        """
CLUSTERS = """
            import subprocess

            import pytest
            import ray
            import ray._private.test_utils as utils
            from ray.cluster_utils import Cluster

            first = []

            def test_shared(ray_start_regular_shared):
                first.append(ray_start_regular_shared["node_id"])

            def test_between(ray_start_cluster):
                ray_start_cluster.add_node(num_cpus=2)
                ray.init(address=ray_start_cluster.address)
                ray_start_cluster.add_node(num_cpus=3)
                ray_start_cluster.wait_for_nodes()
                assert ray.cluster_resources()["CPU"] == 5

            def test_shared_again(ray_start_regular_shared):
                assert first == [ray_start_regular_shared["node_id"]]

            def test_head(ray_start_cluster_head):
                assert isinstance(ray_start_cluster_head, Cluster)
                assert len(ray.nodes()) == 1
                actor = ray.remote(max_restarts=1)(type("Actor", (), {})).remote()
                utils.wait_for_num_actors(1, "ALIVE")
                assert utils.get_actor_node_id(actor) == ray.nodes()[0]["NodeID"]
                utils.kill_actor_and_wait_for_failure(actor)
                group = ray.util.placement_group([{"CPU": 1}])
                ray.util.remove_placement_group(group)
                utils.wait_for_condition(utils.is_placement_group_removed, pg=group)
                assert ray.get([utils.put_object(1, True), utils.put_object(2, False)]) == [1, 2]
                said = utils.run_string_as_driver_stdout_stderr("import ray, sys; print(7, file=sys.stderr)")
                assert said == ("", "7\\n")
                utils.check_call_ray(["--version"], capture_stdout=True)
                assert utils.get_current_unused_port() > 0

            @pytest.mark.parametrize("ray_start_cluster_2_nodes", [{"num_cpus": 2}], indirect=True)
            def test_two(ray_start_cluster_2_nodes):
                assert ray.cluster_resources()["CPU"] == 4
                assert len(utils.get_non_head_nodes(ray_start_cluster_2_nodes)) == 1

            def test_this_process():
                worker = ray._private.worker.global_worker
                assert (worker.connected, worker.mode, worker.node) == (False, None, None)
                assert worker.current_job_id.is_nil()
                with pytest.raises(RuntimeError, match="init"):
                    worker.check_connected()

            def test_this_process_in_a_runtime(ray_start_regular):
                import ray._private.worker as private
                worker = private.global_worker
                worker.check_connected()
                assert (worker.connected, worker.mode) == (True, ray.SCRIPT_MODE)
                assert worker.node.address == ray.get_runtime_context().gcs_address
                assert worker.node.unique_id == ray_start_regular["node_id"]
                assert worker.current_job_id.hex() == ray.get_runtime_context().get_job_id()
                modes = ray.remote(lambda: __import__("ray")._private.worker.global_worker.mode)
                assert ray.get(modes.remote()) == ray.WORKER_MODE

            def test_leaves_a_process(ray_start_regular):
                first.append(subprocess.Popen(["sleep", "1000"]))

            def test_next(ray_start_regular):
                assert ray.get(ray.put(1)) == 1
        """


def test_rays_fixtures_and_helpers_are_there_for_a_suite_that_imports_ray(suite: Suite) -> None:
    suite.write(
        conftest="""
            import ray
            from ray._private.test_utils import wait_for_condition
        """,
        test_nodes=NODES,
        test_clusters=CLUSTERS,
    )
    result = suite.run_parallel(FLAG, "--dist", "loadfile")
    result.assert_outcomes(passed=15, failed=0, errors=2)
    result.stdout.fnmatch_lines_random(
        ["*ray_start_with_dashboard: RustyRay has no dashboard.*", "*test_leaves_a_process*"]
    )


def test_without_the_flag_there_is_nothing_and_an_imported_ray_is_refused(suite: Suite) -> None:
    suite.write(
        ray="",
        test_it="""
            def test_it(ray_start_regular):
                pass
        """,
        early="""
            import ray
        """,
    )
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'ray_start_regular' not found"])
    result = suite.run(FLAG, plugins=("early", "pytest_rustyray.plugin"))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{FLAG}: Ray itself was imported already, from *ray.py.*load it first*"])


def test_a_test_is_given_a_cluster_that_the_command_line_started(suite: Suite) -> None:
    suite.ini("rustyray_as_ray = true").write(
        test_it="""
            import pytest
            import ray

            @pytest.mark.parametrize(
                "call_ray_start", ["ray start --head --num-cpus=3 --port=0 --min-worker-port 0"], indirect=True
            )
            def test_it(call_ray_start):
                ray.init(address=call_ray_start)
                assert ray.cluster_resources()["CPU"] == 3
        """
    )
    suite.run().assert_outcomes(passed=1)


MEMBERS = """
    import dataclasses, enum, functools, sys, threading, typing

    import pytest
    import ray
    from tools import beside

    LOCK = threading.Lock()
    CACHE = {}
    seen = 0

    def put(key):
        with LOCK:
            CACHE[key] = beside(key)
        return sorted(CACHE)

    def look():
        return seen

    @functools.lru_cache
    def cached(key):
        return put(key)

    class Registered:
        known = []
        def __init_subclass__(cls, *, key, **more):
            super().__init_subclass__(**more)
            assert hasattr(cls, "area"), "must define area"
            Registered.known.append(key)

    class Square(Registered, key="square"):
        def __init__(self, side):
            self.side = side
        @functools.cached_property
        def area(self):
            return self.side ** 2

    @dataclasses.dataclass(slots=True)
    class Slotted:
        x: int

    class Op(enum.Enum):
        ADD = ("+", 1)
        def __init__(self, sign, arity):
            self.sign = sign

    class Node:
        following: "typing.Optional[Node]"

    class Broken(Exception): ...

    def fail():
        raise Broken("there")

    def check(left, right):
        assert left == right

    @ray.remote
    class Runner:
        def run(self, function, *args):
            return function(*args)

    @pytest.fixture
    def run(ray_start_regular_shared):
        runner = Runner.options(num_cpus=0).remote()
        return lambda *args: ray.get(runner.run.remote(*args))

    def test_globals(run):
        assert [run(put, "a"), run(cached, "b"), run(put, "c")] == [["a"], ["a", "b"], ["a", "b", "c"]]
        assert CACHE == {}

    def test_what_the_test_changes_is_not_seen(run):
        global seen
        seen = 5
        assert run(look) == 0
        assert run(lambda: put("x")) == ["x"]

    def test_classes(run):
        assert run(lambda square: square.area, Square(3)) == 9
        assert run(lambda: len(Registered.known)) == 1
        assert type(run(Square, 2)) is Square and len(Registered.known) == 1
        back = run(lambda: Slotted(3))
        assert back == Slotted(3) and not hasattr(back, "__dict__")
        assert run(lambda op: op.sign, Op.ADD) == "+" and run(lambda: Op.ADD) is Op.ADD
        assert list(run(typing.get_type_hints, Node)) == ["following"]

    def test_imported_by_a_task(run):
        def task():
            import test_members
            return test_members.Square(1), test_members.put("again")
        square, there = run(task)
        assert type(square) is Square
        assert run(put, "b") == sorted({*there, "b"})

    def test_errors(run):
        with pytest.raises(Broken, match="there"):
            run(fail)
        with pytest.raises(AssertionError, match="assert 1 == 2"):
            run(check, 1, 2)

    @pytest.mark.rustyray(engine="sim")
    def test_simulated(rustyray_local):
        one, other = Runner.remote(), Runner.remote()
        assert ray.get([one.run.remote(put, "a"), one.run.remote(put, "b")]) == [["a"], ["a", "b"]]
        assert ray.get(other.run.remote(put, "c")) == ["c"]
        assert CACHE == {}
        assert type(ray.get(one.run.remote(Square, 2))) is Square
        with pytest.raises(AssertionError, match="assert 1 == 2"):
            ray.get(one.run.remote(check, 1, 2))
"""


@pytest.mark.parametrize("mode", ["prepend", "importlib"])
def test_workers_import_test_modules_as_on_ray(suite: Suite, mode: str) -> None:
    suite.write(test_members=MEMBERS, tools="def beside(key): return key")
    suite.run(FLAG, f"--import-mode={mode}", "-o", "pythonpath=.").assert_outcomes(passed=6)
