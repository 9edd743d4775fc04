"""Holds resources of a node for a program that was submitted, in a process that its supervisor starts.

``python -m rustyray.job_submission.holding ADDRESS NODE RESOURCES``: says "held" once it has them, and lets go of them
when its standard input ends.
"""

from __future__ import annotations

import json
import sys

import rustyray
from rustyray.util.scheduling_strategies import NodeAffinitySchedulingStrategy


class Holder:
    """An actor that has them."""


def main(address: str, node: str, amounts: dict[str, float]) -> None:
    """Amounts are those of a node: "CPU", "memory" in bytes, and custom resources."""
    with rustyray.init(address=address, log_to_driver=False):
        holder = rustyray.remote(Holder).options(
            num_cpus=amounts.pop("CPU", 0),
            memory=int(amounts.pop("memory", 0)),
            resources=amounts,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        held = holder.remote()
        rustyray.get(held.__ray_ready__.remote())
        print("held", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
