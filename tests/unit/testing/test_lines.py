"""Lines to replay: written and read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rustyray.engines.sim.world.faults import Fault, Trouble
from rustyray.engines.sim.world.schedules import Deviation
from rustyray.testing.exploring.lines import Line, parse
from rustyray.testing.exploring.trial import Plan, Setup

numbers = st.integers(0, 10**6)
deviations = st.builds(Deviation, st.sampled_from(["next", "delay", "stall", "keep", "preempt"]), numbers, numbers)
faults = st.builds(Fault, numbers, st.sampled_from(Trouble), numbers)
plans = st.builds(Plan, st.lists(deviations).map(tuple), st.lists(faults).map(tuple))
setups = st.builds(Setup, st.sampled_from([1, 2, 0.5, 16]), st.integers(1, 20), st.integers(1, 10**6))


@given(st.builds(Line, st.from_regex(r"[0-9a-f]{8}", fullmatch=True), setups, plans))
def test_what_is_written_is_read(line: Line) -> None:
    assert parse(str(line)) == line
    assert parse(f"  {line}\n") == line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a line to replay"),
        ("next3.1", "is not a line to replay: those begin with rr1:"),
        ("rr2:0:0", r"another version of RustyRay .its format is rr2, that of this one rr1."),
        ("rr1:", "is damaged: it should read rr1:FINGERPRINT"),
        ("rr1:0123abcd:cpus=2,nodes=1:next", "'next' is no departure"),
        ("rr1:0123abcd:cpus=2,nodes=1:flood@3.1", "'flood@3.1' is no departure and no fault"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse(text)
