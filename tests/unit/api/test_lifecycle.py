"""``init``, ``shutdown`` and what starts by itself."""

from __future__ import annotations

import logging
import threading
from typing import Any
from unittest.mock import Mock

import pytest

import rustyray
from rustyray.api import engines, lifecycle
from rustyray.model import resources as res
from rustyray.model.settings import WITHOUT_EFFECT
from rustyray.runtime import context
from tests.unit.api.fake_engine import NODE, FakeEngine


def running() -> FakeEngine:
    engine = context.engine()
    assert isinstance(engine, FakeEngine)
    return engine


@rustyray.remote
def one() -> int:
    return 1


def test_init_starts_the_chosen_engine_with_checked_settings() -> None:
    session = rustyray.init(
        num_cpus=3,
        num_gpus=1,
        memory=1000,
        resources={"x": 2},
        object_store_memory=10_000_000,
        namespace="space",
        labels={"zone": "a"},
        engine="fake",
        logging_level=logging.INFO,
        _system_config={"knob": 1},
    )
    settings = running().settings
    assert settings is not None
    assert settings.resources == {
        "CPU": 3 * res.UNIT,
        "GPU": res.UNIT,
        "memory": 1000 * res.UNIT,
        "x": 2 * res.UNIT,
    }
    assert (settings.engine, settings.object_store_memory, settings.namespace) == ("fake", 10_000_000, "space")
    assert (settings.labels, settings.log_level, settings.system_config) == ({"zone": "a"}, "INFO", {"knob": 1})
    assert session.namespace == "space"
    assert session.address_info["node_id"] == NODE.hex()
    assert rustyray.is_initialized()


def test_defaults_come_from_the_machine() -> None:
    rustyray.init()
    settings = running().settings
    assert settings is not None
    assert settings.engine == "native"
    assert settings.resources["CPU"] >= res.UNIT
    assert settings.resources["memory"] > 10**8 * res.UNIT
    assert "GPU" not in settings.resources


def test_a_second_init_raises_unless_told_otherwise() -> None:
    first = rustyray.init()
    with pytest.raises(
        RuntimeError, match=r"rustyray\.init\(\) was called, but RustyRay is running .*ignore_reinit_error"
    ):
        rustyray.init()
    again = rustyray.init(ignore_reinit_error=True)
    assert again.address_info == first.address_info


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_cpu": 1}, TypeError, r"init\(\) has no option 'num_cpu' \(did you mean 'num_cpus'\?\)"),
        ({"num_cpus": -1}, ValueError, "num_cpus must be zero or more"),
        ({"local_mode": True}, ValueError, "local_mode=True.* is not supported yet"),
        ({"engine": "nativ"}, ValueError, r"There is no engine 'nativ' \(did you mean 'native'\?\)"),
    ],
)
def test_wrong_options_start_nothing(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        rustyray.init(**options)
    assert not rustyray.is_initialized()


def test_rays_options_that_ask_for_nothing_are_taken() -> None:
    options: dict[str, Any] = dict.fromkeys(WITHOUT_EFFECT, "anything")
    session = rustyray.init("local", include_dashboard=False, log_to_driver=True, local_mode=False, **options)
    assert rustyray.is_initialized()
    assert session.dashboard_url == session["webui_url"] == ""
    session.disconnect()
    assert not rustyray.is_initialized()


def test_the_first_remote_call_or_put_starts_it() -> None:
    assert rustyray.get(one.remote()) == 1
    engine = running()
    assert rustyray.get(one.remote()) == 1
    assert running() is engine
    rustyray.shutdown()
    assert rustyray.get(rustyray.put(2)) == 2
    assert running() is not engine


def test_the_first_actor_starts_it() -> None:
    class Idle:
        pass

    rustyray.remote(Idle).remote()
    assert rustyray.is_initialized()


def test_shutdown_stops_it_and_reports() -> None:
    rustyray.init()
    engine = running()
    report = rustyray.shutdown(grace=2.0)
    assert report is not None
    assert "grace 2.0" in str(report)
    assert engine.shut_down == 1
    assert not rustyray.is_initialized()
    assert rustyray.shutdown() is None
    assert engine.shut_down == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=["interrupt", "exit"])
def test_a_shutdown_that_is_interrupted_has_ended_it(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    rustyray.init()
    monkeypatch.setattr(running(), "shutdown", Mock(side_effect=error))
    with pytest.raises(type(error)):
        rustyray.shutdown()
    assert not rustyray.is_initialized()
    rustyray.init()


def test_a_shutdown_that_is_refused_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    rustyray.init()
    with monkeypatch.context() as patch:
        patch.setattr(running(), "shutdown", Mock(side_effect=RuntimeError("not from here")))
        with pytest.raises(RuntimeError, match="not from here"):
            rustyray.shutdown()
    assert rustyray.is_initialized()


def test_a_session_ends_with_its_block() -> None:
    with rustyray.init() as session:
        assert "running" in repr(session)
        engine = running()
    assert engine.shut_down == 1
    assert not rustyray.is_initialized()
    assert "shut down" in repr(session)


def test_an_old_session_leaves_a_new_runtime_alone() -> None:
    session = rustyray.init()
    rustyray.shutdown()
    rustyray.init()
    session.shutdown()
    assert rustyray.is_initialized()


def test_many_threads_start_one_and_stop_it() -> None:
    threads = 8
    barrier = threading.Barrier(threads)
    seen: list[object] = []

    def start_and_stop() -> None:
        barrier.wait()
        seen.append(lifecycle.running_engine())
        barrier.wait()
        rustyray.shutdown()
        seen.append(context.engine())

    together = [threading.Thread(target=start_and_stop) for _ in range(threads)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert len({id(one) for one in seen if one is not None}) == 1
    assert seen.count(None) == threads


def test_the_exit_hook_shuts_down_in_its_own_process_only(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    rustyray.init()
    engine = running()
    lifecycle._at_exit(os.getpid() + 1)
    assert engine.shut_down == 0
    lifecycle._at_exit(os.getpid())
    assert engine.shut_down == 1


def test_a_failed_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines.ENGINES, "native", "no.such.module")
    with pytest.raises(ModuleNotFoundError):
        rustyray.init()
    assert not rustyray.is_initialized()


def test_plans_may_be_made_while_the_engine_changes() -> None:
    rustyray.init()
    stop = threading.Event()
    errors: list[BaseException] = []

    def make_plans() -> None:
        try:
            while not stop.is_set():
                one.options(num_cpus=2).remote()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test fails with it
            errors.append(error)

    makers = [threading.Thread(target=make_plans) for _ in range(2)]
    for maker in makers:
        maker.start()
    for _ in range(300):
        context.set_engine(FakeEngine())
    stop.set()
    for maker in makers:
        maker.join()
    assert errors == []
