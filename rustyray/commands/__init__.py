"""The command line: clusters that stand by themselves are started, looked at, used and stopped with it.

rustyray start --head                    start a cluster: its head, and a node
rustyray start --address=HOST:PORT       add a node
rustyray status                          what there is and what is free
rustyray list tasks                      and actors, objects, nodes, workers, jobs, placement-groups
rustyray get, summary, memory, timeline, metrics
rustyray job submit -- python script.py  run a program on the cluster's machine; job status, logs, stop, list, delete
rustyray stop                            end what runs on this machine
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from rustyray._version import __version__
from rustyray.missing import COMMANDS
from rustyray.runtime.addresses import AS_RAY


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command, and end the process: 0 when it did what it says, 1 when it could not, 2 when it was misspelt."""
    while (null := os.open(os.devnull, os.O_RDWR)) < 3:
        pass  # it was started without: no socket is to become standard output
    os.close(null)
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] in COMMANDS:
        sys.stderr.write(f"rustyray {words[0]} is not there: {COMMANDS[words[0]]}\n")
        sys.exit(2)
    given = parser()[0].parse_args(words)
    if os.environ.get(AS_RAY) == "1":
        from rustyray.compat import install  # for the jobs and workers that it starts

        install()
    try:
        given.run(given)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        sys.exit(f"rustyray {given.command}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if not _is_told(error):
            raise
        sys.exit(f"rustyray {given.command}: {error}")
    sys.exit(0)


def _is_told(error: Exception) -> bool:
    """Whether it says what the cluster did, or did not, and no bug is behind it."""
    from rustyray.exceptions import RayError
    from rustyray.util.state import RayStateApiException

    return isinstance(error, RayError | RayStateApiException)


class _Parser(argparse.ArgumentParser):
    """Takes options as they are written, as Ray does: half a name may be another's tomorrow. So do its commands."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how, allow_abbrev=False)


def parser() -> tuple[argparse.ArgumentParser, list[str]]:
    """What understands the command line, and the names of the commands."""
    from rustyray.commands import job, looking, start, status, stop

    whole = _Parser(prog="rustyray", description="Clusters that stand by themselves.")
    whole.add_argument("--version", action="version", version=f"rustyray, version {__version__}")
    commands = whole.add_subparsers(dest="command", required=True, metavar="command")
    for module in (start, status, looking, job, stop):
        module.add_to(commands)
    return whole, list(commands.choices)
