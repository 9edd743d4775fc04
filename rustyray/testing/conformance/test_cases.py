"""All cases, on the engine that ``python -m rustyray.testing.conformance`` was told."""

import os
from pathlib import Path

import pytest

from rustyray.testing.conformance import plugin
from rustyray.testing.conformance.cases import Case

conformance_engine = plugin.conformance_engine


@pytest.mark.rustyray(leaks="off")
@plugin.on_engines(os.environ.get("RUSTYRAY_CONFORMANCE_ENGINE", "native"))
def test_case(conformance_engine: str, case: Case, tmp_path: Path) -> None:
    plugin.run(case, conformance_engine, tmp_path)
