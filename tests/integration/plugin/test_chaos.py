"""Faults on purpose: each kind happens and ends, and a seed decides the same again."""

from __future__ import annotations

import re

from tests.integration.plugin.conftest import Suite

WORK = """
    import time

    import pytest
    import rustyray
    from pytest_rustyray.chaos import (
        delay, drop, fill_disk, fill_store, kill_node, kill_worker, partition, pause
    )

    @rustyray.remote(max_retries=-1)
    def work(number):
        time.sleep(0.02)
        return number
    """


def test_each_fault_happens_and_ends(suite: Suite) -> None:
    suite.write(
        test_it=WORK
        + """
    @pytest.mark.rustyray(nodes=3, num_cpus=2)
    def test_all_by_rate(rustyray_cluster, rustyray_chaos):
        rustyray_chaos.at(0.0, kill_node(node=2))
        rustyray_chaos.rate(20, kill_worker(), pause(0.1), delay(0.1), drop(), partition(0.3))
        results = [work.options(scheduling_strategy="SPREAD").remote(number) for number in range(80)]
        count, wanted = 0, {"kill", "pause", "delay", "drop", "partition"}
        while {line.split()[2] for line in rustyray_chaos.happened if ": nothing" not in line} != wanted:
            count += 1
            rustyray_chaos.wait_for(count)
        assert rustyray.get(results, timeout=60) == list(range(80))
        rustyray_chaos.stop()
        assert len(rustyray_cluster.nodes) == 2
        rustyray_cluster.wait_for_nodes()

    @pytest.mark.rustyray(seed=3, num_cpus=1)
    def test_one_node_is_enough_for_some(rustyray_local, rustyray_chaos):
        ref = work.remote(1)
        rustyray_chaos.at(0.0, kill_node())
        rustyray_chaos.at(0.0, fill_store(seconds=0.1))
        rustyray_chaos.when("run began", kill_worker())
        rustyray_chaos.wait_for(1)
        assert rustyray.get(ref, timeout=30) == 1
        assert rustyray_chaos.seed == 3
        assert any("kill_node: nothing, as there is no node but the first" in line for line in rustyray_chaos.happened)

    @pytest.mark.rustyray(num_cpus=1, object_store_memory=16 * 2**20)
    def test_a_full_disk_is_felt_until_it_is_over(rustyray_local, rustyray_chaos):
        rustyray_chaos.at(0.0, fill_disk(seconds=60))
        rustyray_chaos.wait_for(1)
        with pytest.raises((rustyray.exceptions.OutOfDiskError, rustyray.exceptions.ObjectStoreFullError)):
            [rustyray.put(bytes(2_000_000)) for _ in range(20)]
        rustyray_chaos.stop()
        kept = []
        deadline = time.monotonic() + 30
        while len(kept) < 12 and time.monotonic() < deadline:
            try:
                kept.append(rustyray.put(bytes(2_000_000)))
            except rustyray.exceptions.RayError:
                continue
        assert len(kept) == 12
    """
    )
    suite.run().assert_outcomes(passed=3)


def test_an_event_may_set_it_off(suite: Suite) -> None:
    suite.write(
        test_it=WORK
        + """
    @rustyray.remote(max_retries=-1)
    def work_once(begun):
        if not begun.exists():
            begun.touch()
            time.sleep(1000)
        return 7

    def test_third_task_on_the_other_node(rustyray_cluster, rustyray_chaos, tmp_path):
        here, other = map(rustyray_cluster.on, rustyray_cluster.nodes)
        rustyray_chaos.when("run began", kill_worker(node=1), name="work", node=1, count=3)
        rustyray.get([work.options(scheduling_strategy=here).remote(9) for _ in range(5)])
        rustyray.get([work.options(scheduling_strategy=other).remote(number) for number in range(2)])
        assert rustyray_chaos.happened == []
        ref = work_once.options(scheduling_strategy=other).remote(tmp_path / "begun")
        rustyray_chaos.wait_for(1)
        assert rustyray.get(ref, timeout=30) == 7
        assert "kill worker" in rustyray_chaos.happened[0]

    def test_the_first_thing_to_happen(rustyray_cluster, rustyray_chaos):
        ref = rustyray.remote(max_retries=-1)(time.sleep).remote(60)
        rustyray_chaos.rate(50, kill_worker())
        count = 1
        while not [line for line in rustyray_chaos.happened if "kill worker" in line]:
            rustyray_chaos.wait_for(count)
            count += 1
        rustyray_chaos.stop()
        rustyray.cancel(ref, force=True)
    """
    )
    suite.run().assert_outcomes(passed=2)


FAILS = """
    @pytest.mark.rustyray(nodes=3)
    def test_fails(rustyray_cluster, rustyray_chaos):
        rustyray_chaos.at(0.0, kill_node())
        rustyray_chaos.rate(50, delay(0.01), drop())
        rustyray_chaos.wait_for(6)
        assert False
    """


def test_a_failure_tells_the_seed_and_the_seed_decides_the_same(suite: Suite) -> None:
    suite.write(test_it=WORK + FAILS)

    def decided(*options: str) -> tuple[str, list[str]]:
        result = suite.run(*options)
        result.assert_outcomes(failed=1)
        text = result.stdout.str()
        seed = re.search(r"seed (\d+): --rustyray-seed (\d+) decides the same", text)
        assert seed is not None
        lines = re.findall(r"^\d+\.\d+ s ((?:kill|delay|drop) .*)$", text, re.MULTILINE)
        assert f"again: pytest test_it.py::test_fails --rustyray-seed={seed[1]}\n" in text
        return seed[1], [re.sub(r" \([0-9a-f]+\)", "", line) for line in lines[:6]]

    seed, first = decided()
    assert len(first) == 6
    assert decided("--rustyray-seed", seed) == (seed, first)


def test_what_cannot_be_is_told(suite: Suite) -> None:
    suite.write(
        test_it=WORK
        + """
    @pytest.mark.rustyray(topology="sim")
    def test_simulated(rustyray_local, rustyray_chaos): ...

    def test_without_a_runtime(rustyray_chaos): ...

    def test_arguments(rustyray_local, rustyray_chaos):
        with pytest.raises(ValueError, match="how often per second"):
            rustyray_chaos.rate(0, kill_worker())
        with pytest.raises(TimeoutError, match="0 faults have happened in 0.1 s, not 1"):
            rustyray_chaos.wait_for(timeout=0.1)

    def test_broken_faults_fail_the_test(rustyray_local, rustyray_chaos):
        from pytest_rustyray.chaos import Fault
        rustyray_chaos.at(0, Fault("mine", lambda targets, rng: 1 / 0))
        with pytest.raises(ZeroDivisionError):
            rustyray_chaos.wait_for()
    """
    )
    result = suite.run()
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*rustyray_chaos needs a runtime of real processes*"])
