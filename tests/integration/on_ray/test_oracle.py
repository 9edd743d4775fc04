"""What Ray promises, held by Ray itself: the same cases, run beside those of `test_conformance` by another process."""

from __future__ import annotations

from pathlib import Path

import pytest

from rustyray.testing.conformance import plugin
from rustyray.testing.conformance.cases import Case

conformance_engine = plugin.conformance_engine


@pytest.mark.filterwarnings("ignore")  # Ray's own
@pytest.mark.rustyray(leaks="off")
@plugin.on_engines("oracle")
def test_case(conformance_engine: str, case: Case, tmp_path: Path) -> None:
    plugin.run(case, conformance_engine, tmp_path)
