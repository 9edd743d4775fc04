"""``import ray`` means RustyRay, for programs and test suites that were written for Ray.

installing.py  `install` and `uninstall`
names.py       which module stands for which of Ray's
modules/       Ray's modules that RustyRay has nothing like, but the names in them
on_path/       a module ``ray`` for processes that only know where it is: workers, and drivers that tests start
"""

from __future__ import annotations

from rustyray.compat.installing import install, installed, uninstall

__all__ = ["install", "installed", "uninstall"]
