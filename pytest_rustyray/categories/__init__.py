"""Unit, integration and stress tests: who is which, what is usual for them, and what became of them.

folders.py   the folder gives a test its category
table.py     the categories, and the options that their tests have where nothing is given
choosing.py  stress tests run when they are asked for
summary.py   a line for each category at the end
"""

from pytest_rustyray.categories.choosing import begin, sort
from pytest_rustyray.categories.folders import assign
from pytest_rustyray.options.declaring import CATEGORIES

__all__ = ["CATEGORIES", "assign", "begin", "sort"]
