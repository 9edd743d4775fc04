"""What a test and its runtime are given: the options, where each can be said, and which of those wins.

table.py      the options there are
texts.py      how each is read from text, and shown as text
places.py     marker > command line > environment > ini file
shares.py     what of the machine a process of pytest-xdist takes
topologies.py the kinds of runtimes
checks.py     what is wrong with a value
starting.py   what of it `rustyray.init` is given
"""

from __future__ import annotations

from pytest_rustyray.options.checks import problem_with, problem_with_marker
from pytest_rustyray.options.places import declare, for_node, given, header, whole
from pytest_rustyray.options.starting import for_init
from pytest_rustyray.options.table import FLAG, INI, MARKER, OPTIONS, VARIABLE, Given, Option, Options, shown

__all__ = [
    "FLAG",
    "INI",
    "MARKER",
    "OPTIONS",
    "VARIABLE",
    "Given",
    "Option",
    "Options",
    "declare",
    "for_init",
    "for_node",
    "given",
    "header",
    "problem_with",
    "problem_with_marker",
    "shown",
    "whole",
]
