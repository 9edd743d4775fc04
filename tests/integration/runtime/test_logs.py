"""What drivers, tasks and actors log says where it comes from."""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import rustyray
from rustyray import LoggingConfig
from rustyray.runtime import logs
from tests.integration.runtime.conftest import Start

LOG = logging.getLogger("mine")


@rustyray.remote(max_retries=1, retry_exceptions=True)
def work() -> None:
    attempt = rustyray.get_runtime_context().get_task_id()
    logging.getLogger("mine").info("works on %s", attempt)
    raise ValueError("again")


@rustyray.remote
class Actor:
    async def work(self) -> None:
        logging.getLogger("mine").warning("works")


def test_every_line_has_its_context(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    session = start(logging_config=LoggingConfig(encoding="JSON", additional_log_standard_attrs=["process"]))
    LOG.info("driver")
    LOG.debug("not at this level")
    with pytest.raises(ValueError, match="again"):
        rustyray.get(work.remote())
    actor = Actor.options(name="joe").remote()
    rustyray.get(actor.work.remote())
    node = session.address_info["node_id"]
    rustyray.shutdown()
    LOG.warning("after the end")
    lines: list[dict[str, Any]] = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[:1] == "{"]
    driver, first, second, method = lines
    assert {line["node_id"] for line in lines} == {node}
    assert {line["job_id"] for line in lines} == {driver["job_id"]}
    assert "task_id" not in driver
    assert first["message"] == f"works on {first['task_id']}"
    assert [line["attempt"] for line in (first, second)] == [0, 1]
    assert first["task_id"] == second["task_id"]
    assert first["task_name"].endswith("work")
    assert (method["actor_name"], method["levelname"]) == ("joe", "WARNING")
    assert len({line["worker_id"] for line in (driver, first, method)}) == 3
    assert all(line["process"] for line in lines)


def test_without_a_config_logging_is_left_alone(start: Start) -> None:
    before = logging.getLogger().level, list(logging.getLogger().handlers)
    start()
    assert (logging.getLogger().level, list(logging.getLogger().handlers)) == before


def test_a_cluster_that_runs_logs_as_it_was_started_to() -> None:
    with pytest.raises(ValueError, match="logging_config and _tracing_startup_hook are for runtimes that init starts"):
        rustyray.init(address="127.0.0.1:1", logging_config=LoggingConfig())


@rustyray.remote
def say() -> str:
    print("a worker says so")
    print("a worker complains", file=sys.stderr)
    return rustyray.get_runtime_context().get_temp_dir()


def test_what_workers_write_goes_nowhere_if_the_driver_does_not_want_it(
    start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    for wanted in (False, True):
        start(log_to_driver=wanted)
        rustyray.get(say.remote())
        print("the driver says so")
        rustyray.get(say.remote())
        rustyray.shutdown()
        out, err = capfd.readouterr()
        assert out.count("the driver says so") == 1
        assert (out.count("a worker says so"), err.count("a worker complains")) == ((2, 2) if wanted else (0, 0))


def test_messages_of_the_runtime_have_their_level_and_format(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    own = logging.getLogger("rustyray")
    before = own.level, own.handlers[:], own.propagate
    start(logging_format="%(levelname)s|%(message)s")
    logs.warn("hot")
    rustyray.shutdown()
    assert (own.level, own.handlers, own.propagate) == before
    start(logging_level="ERROR")
    logs.warn("not this")
    rustyray.shutdown()
    start(configure_logging=False, logging_level="ERROR", logging_format="%(msg)s")
    logs.warn("cold")
    assert capfd.readouterr().err.splitlines() == ["WARNING|hot", "rustyray: cold"]


def test_temporary_files_go_where_they_are_to(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    start(_temp_dir=str(folder))
    assert folder.is_dir()
    assert [rustyray.get_runtime_context().get_temp_dir(), rustyray.get(say.remote())] == [str(folder)] * 2
    rustyray.shutdown()
    start()
    assert rustyray.get_runtime_context().get_temp_dir() == rustyray.get(say.remote()) == tempfile.gettempdir()
