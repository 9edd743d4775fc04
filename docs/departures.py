"""Writes docs/reference/departures.md: where RustyRay decides otherwise than Ray.

python docs/departures.py           write it
python docs/departures.py --check   only tell whether it is up to date
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from rustyray.testing.conformance.cases import cases
from rustyray.testing.conformance.departures import DEPARTURES

PAGE: Final = Path(__file__).parent / "reference" / "departures.md"
_ENGINES: Final = {
    "native": "RustyRay",
    "sim": "RustyRay, simulated",
    "ray": "RustyRay's API on Ray",
    "oracle": "Ray",
}
_HEAD: Final = """# Where RustyRay departs from Ray

`python -m rustyray.testing.conformance --engine native` checks, one sentence after the other, what Ray's documentation
promises; `--engine oracle` checks Ray itself ({count} sentences in all). These do not hold everywhere; a row that holds
after all fails the suite:

| what is promised | does not hold on | because |
|---|---|---|
"""
_TAIL: Final = """
Decided otherwise on purpose, and told on the pages of what they are about:

| RustyRay | Ray |
|---|---|
| `get`, `wait` and others raise without a runtime; `.remote()` and `put` start one | all start one |
| What `init()` starts is its program's alone; others join a `Cluster`, or what `rustyray start` starts | they join it |
| Without `--rustyray-as-ray`, code of test modules comes to workers with the globals it uses | they import the module |
| Unknown options of `init` and of tasks are errors that name the nearest | some are ignored |
| A generator that nobody holds is closed at its next `yield`, unless `completed()` is held | it runs to its end |
| A generator that waits for its reader gives its CPU back | it keeps it |
| The concurrency groups of an async actor share one event loop | each has its own |
| Serializers of a program's own count for all pickles of its process | for Ray's alone |
"""


def page() -> str:
    """The page's text."""
    every = cases()
    sentences = {case.id: case.sentence for case in every}
    text = _HEAD.format(count=len(every))
    for id_, departure in DEPARTURES.items():
        where = ", ".join(_ENGINES[engine] for engine in departure.engines) + (
            " (sometimes)" if departure.sometimes else ""
        )
        text += f"| {sentences[id_]} | {where} | {departure.why} |\n"
    return text + _TAIL


def main(arguments: Sequence[str]) -> str:
    """Do what the arguments say; what is wrong."""
    text = page()
    if "--check" not in arguments:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        return f"{PAGE.name} is out of date: run python docs/departures.py"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or 0)
