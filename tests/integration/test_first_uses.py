"""Threads of one process may be the first to use something at the same moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HANDLES = """
import sys, threading
from rustyray.api.actor_shape import describe_class, shape_of

class Actor:
    def method(self, a, b=1, *c, d): ...

COUNT = 16
shapes = [describe_class(Actor, f"module.Actor{number}", {})[0] for number in range(COUNT)]
barrier, found = threading.Barrier(COUNT), []

def decode(shape):
    barrier.wait()
    found.append("method" in shape_of(shape).methods)

sys.setswitchinterval(1e-7)
threads = [threading.Thread(target=decode, args=(shape,)) for shape in shapes]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert found == [True] * COUNT, found
"""


def test_handles_of_actors_come_in_many_threads() -> None:
    """msgspec crashes the process if it is asked for a type by several threads before it knows it: in 40 of 100."""
    for _ in range(6):
        done = subprocess.run([sys.executable, "-c", HANDLES], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
