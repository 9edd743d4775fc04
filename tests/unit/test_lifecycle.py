"""The runtime's life, and its end in stages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rustyray.core.lifecycle import (
    RULES,
    Down,
    Draining,
    Life,
    Report,
    ShutdownPlan,
    Stage,
    Starting,
    Stopping,
    Up,
)
from rustyray.core.story import IllegalTransition

ORDER = [
    "stop accepting",
    "cancel pending",
    "wait for running",
    "stop actors",
    "drop objects",
    "leave the cluster",
    "stop processes",
    "release",
]


def up() -> Up:
    return Down().init().ready()


def finish(life: Life, now: float, stages: int = len(RULES)) -> Life:
    """Complete ``stages`` stages, each in 0.01 s."""
    for _ in range(stages):
        assert isinstance(life, Draining | Stopping)
        now += 0.01
        life = life.done(life.step.stage, now)
    return life


def report_of(life: Life) -> Report:
    assert isinstance(life, Down)
    assert life.report is not None
    return life.report


def test_a_whole_life() -> None:
    down = Down()
    assert down.report is None
    starting = down.init()
    assert isinstance(starting, Starting)
    draining = starting.ready().shut_down("shutdown() was called", 0.0)
    assert isinstance(draining, Draining)
    stopping = finish(draining, 0.0, 5)
    assert isinstance(stopping, Stopping)
    report = report_of(finish(stopping, 0.05, 3))
    assert [stage for stage, _, _ in report.stages] == ORDER
    assert all(seconds == pytest.approx(0.01) for _, seconds, _ in report.stages)
    assert report.forced == []


def test_it_can_be_lived_again() -> None:
    down = finish(up().shut_down("first", 0.0), 0.0)
    assert isinstance(down, Down)
    assert isinstance(down.init().ready(), Up)


def test_a_state_that_was_left_refuses_with_its_story() -> None:
    """Two threads may call ``shutdown`` at once: whoever holds the old state finds out."""
    state = up()
    state.shut_down("the first thread", 0.0)
    with pytest.raises(IllegalTransition) as caught:
        state.shut_down("the second thread", 0.0)
    assert "SHUTDOWN is not possible while DRAINING" in str(caught.value)
    assert "DOWN --INIT-->\n  STARTING --READY-->\n  UP --SHUTDOWN-->  (the first thread)" in str(caught.value)


def test_only_legal_operations_exist() -> None:
    for state, illegal in (
        (Down(), ["ready", "shut_down", "done"]),
        (Down().init(), ["init", "shut_down", "done"]),
        (up(), ["init", "ready", "done"]),
        (up().shut_down("x", 0.0), ["init", "ready", "shut_down"]),
    ):
        assert not any(hasattr(state, name) for name in illegal)


def test_a_failed_start_takes_down_what_was_started() -> None:
    stopping = Down().init().failed("the node process did not start", 0.0)
    assert stopping.step.stage is Stage.STOP_PROCESSES
    report = report_of(finish(stopping, 0.0, 2))
    assert report.stages[0] == ("stop accepting", 0.0, "skipped: the node process did not start")
    assert [note for _, _, note in report.stages][-2:] == ["", ""]


@pytest.mark.parametrize("draining", [False, True])
def test_when_the_node_is_gone_only_this_process_is_left_to_clear_up(draining: bool) -> None:
    state: Up | Draining = up()
    if draining:
        assert isinstance(state, Up)
        state = state.shut_down("x", 0.0)
    stopping = state.abandon("the node process died", 1.0)
    assert stopping.step.stage is Stage.STOP_PROCESSES


def test_a_stage_that_overruns_is_forced_and_reported() -> None:
    draining = up().shut_down("x", 0.0, grace=2.0)
    waiting = finish(draining, 0.0, 2)
    assert isinstance(waiting, Draining)
    assert (waiting.step.stage, waiting.step.force) == (Stage.WAIT_RUNNING, False)
    assert waiting.step.deadline == pytest.approx(2.02)
    forcing = waiting.on_time(1.0)
    assert not forcing.step.force
    forcing = waiting.on_time(2.1)
    assert (forcing.step.stage, forcing.step.force) == (Stage.WAIT_RUNNING, True)
    life = forcing.done(Stage.WAIT_RUNNING, 2.2, "3 tasks were interrupted")
    report = report_of(finish(life, 2.2, 5))
    assert report.stages[2][2] == "forced; 3 tasks were interrupted"
    assert report.forced == ["wait for running: was not done within 2 s"]


def test_a_stage_that_even_force_does_not_end_is_given_up() -> None:
    plan = ShutdownPlan(0.0, grace=1.0)
    plan.done(Stage.STOP_ACCEPTING, 0.0)
    plan.done(Stage.CANCEL_PENDING, 0.0)
    plan.on_time(1.0)
    plan.on_time(2.0)
    assert plan.step is not None
    assert plan.step.stage is Stage.STOP_ACTORS
    assert plan.report.stages[-1] == ("wait for running", 2.0, "given up")
    assert plan.report.forced == [
        "wait for running: was not done within 1 s",
        "wait for running: gave up on it after 2 s",
    ]
    plan.done(Stage.WAIT_RUNNING, 2.1, "too late")
    assert plan.step.stage is Stage.STOP_ACTORS


def test_a_stage_is_done_once() -> None:
    plan = ShutdownPlan(0.0)
    for _ in range(3):
        plan.done(Stage.STOP_ACCEPTING, 0.0)
    assert plan.step is not None
    assert plan.step.stage is Stage.CANCEL_PENDING


def test_without_grace_running_tasks_are_interrupted_at_once() -> None:
    plan = ShutdownPlan(0.0, grace=0.0)
    plan.done(Stage.STOP_ACCEPTING, 0.0)
    plan.done(Stage.CANCEL_PENDING, 0.0)
    plan.on_time(0.0)
    assert plan.step is not None
    assert plan.step.force


def test_it_never_hangs_whoever_answers_or_not() -> None:
    life: Life = up().shut_down("x", 0.0, grace=1.0)
    now = 0.0
    while isinstance(life, Draining | Stopping):
        now = life.step.deadline
        life = life.on_time(now)
    assert now == pytest.approx(sum((1.0 if r.seconds is None else r.seconds) + r.force_seconds for r in RULES))
    assert len(report_of(life).forced) == 2 * len(RULES)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 5), st.sampled_from(list(Stage))), max_size=60))
def test_stages_come_in_order_whatever_happens(steps: list[tuple[bool, float, Stage]]) -> None:
    life: Life = up().shut_down("x", 0.0)
    now, seen = 0.0, [Stage.STOP_ACCEPTING]
    for done, seconds, stage in steps:
        if not isinstance(life, Draining | Stopping):
            break
        now += seconds
        life = life.done(stage, now) if done else life.on_time(now)
        if isinstance(life, Draining | Stopping) and life.step.stage is not seen[-1]:
            seen.append(life.step.stage)
            assert isinstance(life, Draining) is (life.step.stage in list(Stage)[:5])
    assert [stage.value for stage in seen] == ORDER[: len(seen)]
