"""What a person reads when a history is not linearizable."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

from rustyray.testing.histories.operations import Operation, Outcome, shown

#: So many operations are drawn, and told of an order.
DRAWN: Final = 20
TOLD: Final = 6
WAYS: Final = 4

#: How an operation might have ended, and which would have taken effect before it.
Legal = tuple[Outcome, Sequence[int]]


def story(
    operations: Sequence[Operation], culprit: int, legal: Sequence[Legal], complete: bool, key: Hashable = None
) -> str:
    """Where the history stops making sense, what was seen, what could have been, and a timeline."""
    wrong = operations[culprit]
    of_key = "" if key is None else f" on {shown(key)}"
    ways = [str(outcome) for outcome, _ in legal]
    more = [f"{len(ways) - WAYS} others"] if len(ways) > WAYS else [] if complete else ["maybe others"]
    told = " or ".join(ways[:WAYS] + more)
    lines = [
        f"Not linearizable: no order of the operations{of_key} explains what {wrong.client} saw of {wrong}.",
        f"  seen:  {wrong.outcome}",
        f"  legal: {told}",
        "",
        *timeline(operations, culprit),
        "",
    ]
    for outcome, order in legal[:WAYS]:
        before = [f"{operations[index].client}: {operations[index]}" for index in order]
        dots = ["…"] if len(before) > TOLD else []
        lines.append(f"After {', '.join(dots + before[-TOLD:]) or 'nothing'}: {outcome} would be legal.")
    return "\n".join(lines).rstrip()


def timeline(operations: Sequence[Operation], culprit: int) -> list[str]:
    """A row for each of the last operations before the culprit's return, and what was running with it."""
    chosen = _chosen(operations, culprit)
    places = sorted(
        {operations[one].invoked for one in chosen}
        | {end for end in (operations[one].returned for one in chosen) if end is not None}
    )
    column = {place: 2 * index for index, place in enumerate(places)}
    width = 2 * len(places)
    left = len(operations) - len(chosen)
    lines = [f"The {len(operations)} operations up to its return, each from its call to its return:"]
    if left:
        lines.append(f"  ({left} before these are left out)")
    clients = max(len(operations[one].client) for one in chosen)
    calls = {one: f"{operations[one]} → {_end(operations[one])}" for one in chosen}
    longest = max(map(len, calls.values()))
    for one in chosen:
        operation = operations[one]
        start = column[operation.invoked]
        end = width if operation.returned is None else column[operation.returned]
        bar = " " * start + "├" + "─" * (end - start - 1) + ("…" if operation.returned is None else "┤")
        mark = "  ← not explained" if one == culprit else ""
        lines.append(f"  {operation.client:{clients}}  {calls[one]:{longest}}  {bar}{mark}")
    return lines


def _end(operation: Operation) -> str:
    if operation.outcome is not None:
        return str(operation.outcome)
    return f"? ({operation.lost or 'not back yet'})"


def _chosen(operations: Sequence[Operation], culprit: int) -> list[int]:
    """The culprit, and those that ended last or have not ended."""

    def recent(one: int) -> tuple[bool, float]:
        end = operations[one].returned
        return one != culprit, -float("inf" if end is None else end)

    return sorted(sorted(range(len(operations)), key=recent)[:DRAWN], key=lambda one: operations[one].invoked)
