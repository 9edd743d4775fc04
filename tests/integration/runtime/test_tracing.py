"""Spans of submissions and runs hang together across processes, and cost nothing when nobody traces."""

from __future__ import annotations

import builtins
import subprocess
import sys
from typing import Any, NamedTuple

import pytest

import rustyray
from rustyray.runtime import tracing
from tests.integration.drivers import eventually
from tests.integration.runtime.conftest import Start


class Span(NamedTuple):
    name: str
    trace: int
    id: int
    parent: int
    status: str
    attributes: dict[str, Any]


def set_up() -> None:
    """Once in each process: OpenTelemetry keeps its provider."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter: Any = getattr(builtins, "exporter_of_spans", None)
    if exporter is None:
        exporter = builtins.exporter_of_spans = InMemorySpanExporter()  # type: ignore[attr-defined]
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
    exporter.clear()


def made_here() -> list[Span]:
    exporter: Any = builtins.exporter_of_spans  # type: ignore[attr-defined]
    return [
        Span(
            span.name.rpartition(".")[2],
            span.context.trace_id,
            span.context.span_id,
            span.parent.span_id if span.parent else 0,
            span.status.status_code.name,
            dict(span.attributes),
        )
        for span in exporter.get_finished_spans()
    ]


@rustyray.remote
def inner() -> list[Span]:
    return made_here()


@rustyray.remote
def outer() -> list[Span]:
    rustyray.get(inner.remote())
    return made_here()


@rustyray.remote(max_retries=0)
def fails() -> None:
    raise ValueError("no")


@rustyray.remote
def spans_of_worker() -> list[Span]:
    return made_here()


@rustyray.remote
class Actor:
    async def inside(self) -> list[Span]:
        return made_here()


@rustyray.remote
class Plain:
    def inside(self) -> list[Span]:
        return made_here()


def spans(*awaited: str) -> dict[str, Span]:
    """All that were made, by name, when those awaited are among them: any worker may have made them."""
    found: dict[str, Span] = {}

    def look() -> bool:
        for told in [made_here(), *rustyray.get([spans_of_worker.remote() for _ in range(4)])]:
            found.update({span.name: span for span in told})
        return found.keys() >= set(awaited)

    assert eventually(look, 20), f"only {sorted(found)} were made"
    return found


def test_a_task_and_what_it_submits_are_one_trace(start: Start) -> None:
    start(_tracing_startup_hook=set_up)
    rustyray.get(outer.remote())
    found = spans("outer submit", "outer run", "inner submit")
    submit, run = found["outer submit"], found["outer run"]
    assert (submit.parent, run.parent) == (0, submit.id)
    assert found["inner submit"].parent == run.id
    assert found["inner submit"].trace == run.trace == submit.trace
    assert set(run.attributes) >= {"rustyray.task_id", "rustyray.worker_id", "rustyray.attempt"}


def test_calls_of_actors_and_failures(start: Start) -> None:
    start(_tracing_startup_hook=set_up)
    for kind in (Actor, Plain):
        actor = kind.remote()
        rustyray.get(actor.inside.remote())
        inside = {span.name: span for span in [*made_here(), *rustyray.get(actor.inside.remote())]}
        assert inside["inside run"].parent in {span.id for span in made_here() if span.name == "inside submit"}
        assert inside["inside run"].attributes["rustyray.actor_id"]
    with pytest.raises(ValueError, match="no"):
        rustyray.get(fails.remote())
    assert spans("fails run")["fails run"].status == "ERROR"


def test_a_hook_may_be_named(start: Start) -> None:
    start(_tracing_startup_hook=f"{__name__}:set_up")
    rustyray.get(outer.remote())
    spans("outer run")
    rustyray.shutdown()
    assert tracing.active is None


LINES = """
import json, os, rustyray
from rustyray.util.tracing.setup_local_tmp_tracing import spans_dir
rustyray.init(num_cpus=1, _tracing_startup_hook="rustyray.util.tracing.setup_local_tmp_tracing:setup_tracing")
worker = rustyray.get(rustyray.remote(os.getpid).remote())
rustyray.shutdown()
for pid in (os.getpid(), worker):
    with open(f"{spans_dir}{pid}.txt") as file:
        print([json.loads(line)["name"] for line in file])
    os.remove(file.name)
"""


@pytest.mark.stress
def test_the_hook_that_comes_along_writes_a_file_for_each_process() -> None:
    done = subprocess.run([sys.executable, "-c", LINES], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "['posix.getpid submit']\n['posix.getpid run']\n"


@pytest.mark.parametrize(
    ("hook", "error", "told"),
    [
        ("nothing", ValueError, "must be 'module:function'"),
        ("sys:maxsize", TypeError, "must be a function"),
        (3, TypeError, "must be a function"),
    ],
)
def test_what_is_no_hook(hook: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        rustyray.init(_tracing_startup_hook=hook)
    assert not rustyray.is_initialized()


def test_without_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.propagate", None)
    with pytest.raises(ImportError, match=r"rustyray\[otel\]"):
        rustyray.init(_tracing_startup_hook=set_up)
    assert tracing.active is None
    assert not rustyray.is_initialized()
