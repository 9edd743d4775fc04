"""What Ray promises, held by both of RustyRay's own engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from rustyray.testing.conformance import plugin
from rustyray.testing.conformance.cases import Case, cases

conformance_engine = plugin.conformance_engine


@pytest.mark.rustyray(leaks="off")
@plugin.on_engines("native", "sim")
def test_case(conformance_engine: str, case: Case, tmp_path: Path) -> None:
    plugin.run(case, conformance_engine, tmp_path)


def test_every_case_says_what_it_checks() -> None:
    assert [case.id for case in cases() if not case.sentence.endswith(".")] == []


def test_every_case_has_a_name_of_its_own() -> None:
    ids = [case.id for case in cases()]
    assert len(ids) == len(set(ids)) >= 190
