"""What ``import ray`` finds in a process that has this folder on its path: it becomes RustyRay."""

import sys

from rustyray.compat import installing

del sys.modules["ray"]  # this module, half imported
installing.install()

import ray  # noqa: E402, F401 - found by the finder now; whoever imports this module gets that one
