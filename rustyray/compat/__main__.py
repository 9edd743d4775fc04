"""``python -m rustyray.compat program.py …``: runs a program, in which ``import ray`` means RustyRay."""

from __future__ import annotations

import os
import runpy
import sys

from rustyray.compat.installing import install


def main() -> None:
    """Run the program that the first argument names, with the rest as its own; ``-m module …`` works too."""
    arguments = sys.argv[1:]
    if not arguments or arguments == ["-m"]:
        sys.exit("usage: python -m rustyray.compat program.py …, or: python -m rustyray.compat -m module …")
    install()
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path.insert(0, os.path.dirname(os.path.abspath(arguments[0])))
        runpy.run_path(arguments[0], run_name="__main__")


main()
