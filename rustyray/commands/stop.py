"""``rustyray stop``: end the processes of clusters that run on this machine."""

from __future__ import annotations

import argparse
from typing import Any


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("stop", help="end what runs of clusters on this machine")
    parser.set_defaults(run=run)
    parser.add_argument("--address", metavar="HOST:PORT", help="of this cluster alone; by default of all (as in Ray)")
    parser.add_argument("-f", "--force", action="store_true", help="kill at once, without time to finish")
    parser.add_argument("-g", "--grace-period", type=float, metavar="SECONDS", help="kill what has not ended then; 10")
    parser.add_argument("-v", "--verbose", action="store_true", help=argparse.SUPPRESS)  # asks for nothing here
    for option in ("--log-style", "--log-color"):
        parser.add_argument(option, help=argparse.SUPPRESS)  # as above


def run(given: argparse.Namespace) -> None:
    from rustyray.engines.native.standing.places import places, same_address
    from rustyray.engines.native.standing.stopping import PATIENCE, stop

    patience = PATIENCE if given.grace_period is None else given.grace_period
    if patience < 0:
        raise ValueError(f"--grace-period must be zero or more seconds, got {patience:g}")

    found = [(place, cluster) for place in places() if (cluster := place.cluster()) is not None]
    if given.address:
        found = [(place, cluster) for place, cluster in found if same_address(cluster.address, given.address)]
        if not found:
            raise ConnectionError(f"nothing of a cluster at {given.address} runs on this machine")
    else:  # those of programs are theirs to end
        found = [(place, cluster) for place, cluster in found if not cluster.program]
    ended = killed = 0
    for place, _ in found:
        those, had_to_be = stop(place, given.force, patience)
        ended += len(those)
        killed += len(had_to_be)
    by_force = f", {killed} of them by force" if killed else ""
    print(f"Stopped {ended} processes{by_force}." if ended else "Nothing ran.")
