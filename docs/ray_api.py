"""Writes docs/reference/ray_api.md: which of Ray's public names RustyRay has.

python docs/ray_api.py           write it
python docs/ray_api.py --check   only tell whether it is up to date
python docs/ray_api.py --ray     tell which of the names an installed Ray does not have
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from rustyray.commands import parser
from rustyray.compat.table import names, status

PAGE: Final = Path(__file__).parent / "reference" / "ray_api.md"
_OPTIONS: Final = {"task": "tasks", "actor": "actors", "init": "`ray.init`"}
_HEAD: Final = """# Ray's API, and what of it is here

Which public names of Ray 2.60's core RustyRay has, found in the code by `python docs/ray_api.py`; for the others, why
not, and what to do instead. `rustyray.X` and, where [`import ray` means RustyRay](../bring_your_ray_suite.md), `ray.X`
raise the same sentences. A name that is there may differ in details: see the pages beside this one.
"""


def page() -> str:
    """The page's text."""
    parts = [_HEAD]
    rows = {f"`{name}`": status.module(name) for name in names.MODULES}
    rows |= {f"Members of `{name}`": status.members(name) for name in names.CLASSES}
    rows |= {f"Options of {what}": status.options(of) for of, what in _OPTIONS.items()}
    rows["Commands"] = status.commands(parser()[1])
    there = sum(row.there for group in rows.values() for row in group)
    parts.append(f"Of {sum(map(len, rows.values()))} names, {there} are there.\n")
    parts += [f"## {title}\n\n{_table(group)}" for title, group in rows.items()]
    return "\n".join(parts)


def _table(rows: Sequence[status.Row]) -> str:
    """The names that are there, and a row for each that is not."""
    there = [f"`{_last(row.name)}`" for row in rows if row.there]
    text = f"There: {', '.join(there)}.\n" if there else "None is there.\n"
    if len(there) < len(rows):
        text += "\n| missing | why, and what to do |\n|---|---|\n"
        text += "".join(f"| `{_last(row.name)}` | {row.note.replace('|', ' ')} |\n" for row in rows if not row.there)
    return text


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def compare() -> list[str]:
    """The names that the Ray installed here does not have, or that it has and the table does not."""
    found = []
    for module, text in names.MODULES.items():
        ray = import_module(module)
        listed, public = set(text.split()), {*getattr(ray, "__all__", ())}
        found += [f"{module}.{name} is not in Ray" for name in sorted(listed - public - {*dir(ray)})]
        if module != "ray.util.accelerators":  # a few of them do for the table
            found += [f"{module}.{name} is not listed" for name in sorted(public - listed)]
    return found


def main(arguments: Sequence[str]) -> str:
    """Do what the arguments say; what is wrong."""
    if "--ray" in arguments:
        return "\n".join(compare())
    text = page()
    if "--check" not in arguments:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        return f"{PAGE.name} is out of date: run python docs/ray_api.py"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or 0)
