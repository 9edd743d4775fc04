"""A schedule as one line that a person can copy: ``rr1:9f03b2c4:cpus=2,nodes=1:next12.1+crash@88.0``."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from rustyray.engines.sim.world.faults import Fault, Trouble
from rustyray.engines.sim.world.schedules import NEXT, PREEMPT, Deviation
from rustyray.testing.exploring.trial import Plan, Setup
from rustyray.testing.exploring.unread import IGNORE, RAISE

#: Of the format, and of the order that schedules depart from.
VERSION: Final = 1

#: What a world decides, other than faults.
_KINDS: Final = frozenset({NEXT, PREEMPT, "delay", "stall", "keep", "jitter"})
_LINE: Final = re.compile(r"rr(?P<version>\d+):(?P<rest>.*)", re.DOTALL)
_REST: Final = re.compile(
    r"(?P<print>[0-9a-f]{8}):cpus=(?P<cpus>\d+(\.\d+)?(e[+-]?\d+)?),nodes=(?P<nodes>\d+)"
    r"(,steps=(?P<steps>\d+))?(?P<ignore>,unread=ignore)?:(?P<items>\S*)"
)
_ITEM: Final = re.compile(r"(?P<what>[a-z]+)(?P<at>@?)(?P<number>\d+)\.(?P<choice>\d+)")


class Line(NamedTuple):
    """``fingerprint`` is that of the scenario's run without any departure."""

    fingerprint: str
    setup: Setup
    plan: Plan

    def __str__(self) -> str:
        items = [f"{what}{number}.{choice}" for what, number, choice in self.plan.deviations]
        items += [f"{fault.trouble.name.lower()}@{fault.step}.{fault.which}" for fault in self.plan.faults]
        setup = self.setup
        usual = Setup()
        options = [f"cpus={setup.num_cpus:g}", f"nodes={setup.num_nodes}"]
        options += [f"steps={setup.max_steps}"] * (setup.max_steps != usual.max_steps)
        options += [f"unread={setup.unread_errors}"] * (setup.unread_errors != usual.unread_errors)
        return f"rr{VERSION}:{self.fingerprint}:{','.join(options)}:{'+'.join(items)}"


def parse(text: str) -> Line:
    """Read a line back.

    Raises:
        ValueError: It is none, is damaged, or comes from another version.
    """
    whole = _LINE.fullmatch(text.strip())
    if whole is None:
        raise ValueError(f"{text!r} is not a line to replay: those begin with rr{VERSION}:")
    if int(whole["version"]) != VERSION:
        raise ValueError(
            f"{text!r} was made by another version of RustyRay (its format is rr{whole['version']}, that of this one "
            f"rr{VERSION}): explore again to get a new line"
        )
    rest = _REST.fullmatch(whole["rest"])
    if rest is None:
        raise ValueError(f"{text!r} is damaged: it should read rr{VERSION}:FINGERPRINT:cpus=…,nodes=…:DEPARTURES")
    deviations: list[Deviation] = []
    faults: list[Fault] = []
    for item in filter(None, rest["items"].split("+")):
        read = _ITEM.fullmatch(item)
        if read is None or not (read["what"].upper() in Trouble.__members__ if read["at"] else read["what"] in _KINDS):
            raise ValueError(f"{text!r} is damaged: {item!r} is no departure and no fault")
        number, choice = int(read["number"]), int(read["choice"])
        if read["at"]:
            faults.append(Fault(number, Trouble[read["what"].upper()], choice))
        else:
            deviations.append(Deviation(read["what"], number, choice))
    steps = int(rest["steps"]) if rest["steps"] else Setup().max_steps
    setup = Setup(float(rest["cpus"]), int(rest["nodes"]), steps, IGNORE if rest["ignore"] else RAISE)
    return Line(rest["print"], setup, Plan(tuple(deviations), tuple(faults)))
