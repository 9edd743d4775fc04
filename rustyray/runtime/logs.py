"""Log lines that say where they come from: the job, node and worker, and the task or actor that wrote them."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, Final, TextIO

from rustyray.model.logging_config import LoggingConfig
from rustyray.runtime import context

#: The runtime's own logger.
LOGGER: Final = "rustyray"
#: What each line tells beyond the message, by Ray's names.
STANDARD: Final = ("asctime", "levelname", "message", "filename", "lineno")
FIELDS: Final = (
    "job_id",
    "worker_id",
    "node_id",
    "actor_id",
    "actor_name",
    "task_id",
    "task_name",
    "task_func_name",
    "attempt",
)


class ContextFilter(logging.Filter):
    """Gives each record the ids of where it was made; outside a runtime it has none."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in where().items():
            setattr(record, name, value)
        return True


def where() -> dict[str, Any]:
    """The ids of the process, task and actor that ask."""
    engine = context.engine()
    if engine is None:
        return {}
    process, task = engine.process(), context.current_task.get()
    fields: dict[str, Any] = {
        "job_id": process.job.hex(),
        "worker_id": process.worker.hex(),
        "node_id": process.node.hex(),
    }
    if task is not None:
        fields |= {"task_id": task.task.hex(), "task_name": task.name, "task_func_name": task.function}
        fields["attempt"] = task.attempt
        if task.actor:
            fields["actor_id"] = task.actor.hex()
            fields["actor_name"] = task.hosted.name if task.hosted is not None else ""
    return fields


class _Formatter(logging.Formatter):
    def __init__(self, more: tuple[str, ...]) -> None:
        super().__init__()
        self.more = more

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        names = (*STANDARD, *self.more, *FIELDS)
        return {name: getattr(record, name) for name in names if getattr(record, name, None) not in (None, "")}

    def error(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info else ""


class TextFormatter(_Formatter):
    """``time<tab>LEVEL file:line -- message key=value …``"""

    def format(self, record: logging.LogRecord) -> str:
        fields = self.fields(record)
        head = f"{fields.pop('asctime')}\t{fields.pop('levelname')} {fields.pop('filename')}:{fields.pop('lineno')}"
        message = fields.pop("message", "")
        line = " ".join([f"{head} -- {message}", *(f"{name}={value}" for name, value in fields.items())])
        error = self.error(record)
        return f"{line}\n{error}" if error else line


class JsonFormatter(_Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields = self.fields(record)
        if error := self.error(record):
            fields["exc_text"] = error
        return json.dumps(fields, default=str)


class _Root:
    """What was changed of the root logger, to be changed back."""

    def __init__(self, config: LoggingConfig) -> None:
        self.handler = logging.StreamHandler(sys.stderr)
        more = config.additional_log_standard_attrs
        self.handler.setFormatter(JsonFormatter(more) if config.encoding == "JSON" else TextFormatter(more))
        self.handler.addFilter(ContextFilter())
        root = logging.getLogger()
        self.level = root.level
        root.addHandler(self.handler)
        root.setLevel(config.log_level)

    def undo(self) -> None:
        root = logging.getLogger()
        root.removeHandler(self.handler)
        root.setLevel(self.level)


class _Own:
    """What was changed of the runtime's own logger, to be changed back."""

    def __init__(self, level: str, form: str) -> None:
        logger = logging.getLogger(LOGGER)
        self.level, self.propagates = logger.level, logger.propagate
        self.handler: logging.Handler | None = None
        logger.setLevel(level)
        if form:
            self.handler = logging.StreamHandler(sys.stderr)
            self.handler.setFormatter(logging.Formatter(form))
            logger.addHandler(self.handler)
            logger.propagate = False

    def undo(self) -> None:
        logger = logging.getLogger(LOGGER)
        logger.setLevel(self.level)
        if self.handler is not None:
            logger.removeHandler(self.handler)
            logger.propagate = self.propagates


_root: _Root | None = None
_own: _Own | None = None


def configure(config: LoggingConfig | None, level: str, form: str = "") -> None:
    """Log by ``config``, if there is one; the runtime's own logger has this ``level``, and lines of this ``form``."""
    global _root, _own
    restore()
    _own = _Own(level, form)
    if config is not None:
        _root = _Root(config)


def restore() -> None:
    """Log as before `configure`."""
    global _root, _own
    if _root is not None:
        _root.undo()
    if _own is not None:
        _own.undo()
    _root = _own = None


def warn(text: str) -> None:
    """A sentence of the runtime's for the user: a log line where they are configured, else on standard error."""
    logger = logging.getLogger(LOGGER)
    if _root is not None or (_own is not None and _own.handler is not None):
        logger.warning(text)
    elif logger.isEnabledFor(logging.WARNING):
        show(f"rustyray: {text}\n", sys.stderr)


def show(text: str, stream: TextIO | None) -> None:
    """Write to a standard stream, which a program may lack; nobody may be left who reads it."""
    try:
        if stream is not None:
            stream.write(text)
            stream.flush()
    except (OSError, ValueError):
        pass  # that is no reason to end
