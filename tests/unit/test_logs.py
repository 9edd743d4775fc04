"""Log lines with their context, and logging as it was afterwards."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest

import rustyray
from rustyray.model.logging_config import LoggingConfig
from rustyray.runtime import logs


def record(message: str = "hello %s", **more: object) -> logging.LogRecord:
    made = logging.LogRecord("mine", logging.INFO, "/there/file.py", 7, message, ("world",), None)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_text_has_the_context_behind_the_message() -> None:
    line = logs.TextFormatter(("name",)).format(record(task_id="ab", attempt=0, actor_name=""))
    assert line.partition("\t")[2] == "INFO file.py:7 -- hello world name=mine task_id=ab attempt=0"


def test_json_is_one_object_a_line_errors_included() -> None:
    made = record(job_id="01")
    try:
        raise ValueError("no")
    except ValueError:
        made.exc_info = sys.exc_info()
    told = json.loads(logs.JsonFormatter(()).format(made))
    assert (told["message"], told["job_id"], told["lineno"]) == ("hello world", "01", 7)
    assert told["exc_text"].endswith("ValueError: no")


def test_without_a_runtime_there_is_no_context() -> None:
    assert logs.where() == {}
    assert logs.ContextFilter().filter(record())


def test_logging_is_afterwards_as_it_was() -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    config = LoggingConfig(log_level="debug", additional_log_standard_attrs=["name"])
    assert LoggingConfig.from_dict(config.to_dict() | {"later": 1}) == config
    logs.configure(LoggingConfig(log_level="debug"), "ERROR")
    logs.configure(LoggingConfig(), "WARNING")
    assert (root.level, len(root.handlers)) == (logging.INFO, len(before[1]) + 1)
    logs.restore()
    logs.restore()
    assert (root.level, list(root.handlers)) == before


def test_warnings_of_the_runtime(capsys: pytest.CaptureFixture[str]) -> None:
    logs.warn("as text")
    logs.configure(LoggingConfig(encoding="JSON"), "WARNING")
    try:
        logs.warn("as a line")
    finally:
        logs.restore()
    text, line = capsys.readouterr().err.splitlines()
    assert text == "rustyray: as text"
    assert json.loads(line)["message"] == "as a line"


class Broken(io.StringIO):
    """As a pipe is that nobody reads any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("stream", [Broken(), None])
def test_a_warning_that_nobody_can_read_is_no_error(
    stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", stream)
        logs.warn("told to nobody")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"encoding": "JSNO"}, "did you mean 'JSON'"), ({"log_level": "LOUD"}, "log_level must be one of DEBUG")],
)
def test_what_there_is_not(wrong: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        LoggingConfig(**wrong)


def test_a_dict_is_no_config() -> None:
    with pytest.raises(TypeError, match=r"must be a rustyray\.LoggingConfig"):
        rustyray.init(logging_config={"encoding": "JSON"})  # type: ignore[arg-type]
