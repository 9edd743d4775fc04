"""Spans as lines of JSON in files, one for each process: to see what there is, without a service that collects it.

``init(_tracing_startup_hook="rustyray.util.tracing.setup_local_tmp_tracing:setup_tracing")``
"""

from __future__ import annotations

import os
from typing import Final

#: The files are ``PID.txt`` in this directory.
spans_dir: Final = "/tmp/spans/"


def setup_tracing() -> None:
    """Have this process write its spans to a file in `spans_dir`. Raises ImportError without OpenTelemetry."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    os.makedirs(spans_dir, exist_ok=True)
    lines = open(f"{spans_dir}{os.getpid()}.txt", "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    provider = TracerProvider()
    exporter = ConsoleSpanExporter(out=lines, formatter=lambda span: span.to_json(indent=None) + "\n")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
