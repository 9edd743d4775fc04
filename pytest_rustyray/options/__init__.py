"""What a test and its runtime are given: the options, where each can be said, and which of those wins.

In every run of pytest:
table.py      the options there are, with their defaults
declaring.py  the flags, lines of the ini file and markers, those of the plugin's other parts too
places.py     marker > command line > environment > ini file

Where some are given, or a runtime is started:
reading.py    how each is read and checked, with texts.py, rules.py and topologies.py
shares.py     what of the machine a process of pytest-xdist takes
checks.py     what is wrong with a value
starting.py   what of it `rustyray.init` is given
"""

from __future__ import annotations

from pytest_rustyray.options.places import for_node, given, header, whole
from pytest_rustyray.options.table import FLAG, INI, MARKER, OPTIONS, VARIABLE, Given, Options, shown

__all__ = [
    "FLAG",
    "INI",
    "MARKER",
    "OPTIONS",
    "VARIABLE",
    "Given",
    "Options",
    "for_node",
    "given",
    "header",
    "shown",
    "whole",
]
