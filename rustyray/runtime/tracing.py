"""Trace spans through the OpenTelemetry API: for each submission and each run, linked across processes.

Nothing of it is imported, and nothing made, unless ``init`` was given a hook that sets up tracing. The context then
travels in the tasks (``trace``), as OpenTelemetry's propagator writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from rustyray.model.values import Failed, Fault, Value


class Tracer:
    """Makes the spans."""

    def __init__(self) -> None:
        from opentelemetry import propagate, trace

        self._propagate = propagate
        self._trace = trace
        self._tracer = trace.get_tracer("rustyray")

    def submitted(self, name: str) -> dict[str, str]:
        """A span for the submission; what the task has to carry."""
        carrier: dict[str, str] = {}
        with self._tracer.start_as_current_span(f"{name} submit", kind=self._trace.SpanKind.PRODUCER):
            self._propagate.inject(carrier)
        return carrier

    @contextmanager
    def running(self, carrier: dict[str, str], name: str, ids: dict[str, Any]) -> Iterator[Any]:
        """A span for a run, below that of its submission; what is submitted inside is below this one."""
        context = self._propagate.extract(carrier)
        kind = self._trace.SpanKind.CONSUMER
        with self._tracer.start_as_current_span(f"{name} run", context=context, kind=kind, attributes=ids) as span:
            yield span

    def failed(self, span: Any, value: Value) -> None:
        """The run ended with an error."""
        text = value.traceback.rstrip().rpartition("\n")[2] if isinstance(value, Failed) else ""
        text = value.message if isinstance(value, Fault) else text
        span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, text))


#: Set in processes that trace.
active: Tracer | None = None


def resolve(hook: str | Callable[[], object]) -> Callable[[], object]:
    """The function that a hook names. Raises TypeError, ValueError or ImportError when there is none."""
    found: Any = hook
    if isinstance(hook, str):
        module, _, name = hook.partition(":")
        if not module or not name:
            raise ValueError(f"_tracing_startup_hook must be 'module:function', got {hook!r}")
        found = getattr(import_module(module), name, None)
    if not callable(found):
        raise TypeError(f"_tracing_startup_hook must be a function, or 'module:function', got {hook!r}")
    checked: Callable[[], object] = found
    return checked


def start(hook: Callable[[], object]) -> None:
    """Trace in this process: ``hook`` sets up OpenTelemetry. Raises ImportError when that is not installed."""
    global active
    try:
        tracer = Tracer
        import_module("opentelemetry.propagate")
    except ImportError as error:
        raise ImportError("tracing needs the OpenTelemetry API: pip install 'rustyray[otel]'") from error
    hook()
    active = tracer()


def stop() -> None:
    """Trace no more."""
    global active
    active = None
