"""Starts a cluster, and ends it when the last process of the run is gone. Run as a program: FOLDER OPTIONS.

The head and the nodes end with this process, however that ends.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from pytest_rustyray import in_workers  # noqa: F401 - the nodes are forked with it
from rustyray.api import lifecycle
from rustyray.engines.native import processes
from rustyray.engines.native.standing import starting, stopping
from rustyray.engines.native.standing.places import Place, started


def main(folder: Path, options: dict[str, object]) -> None:
    alive = os.open(folder / "alive", os.O_RDONLY)
    processes.set_name("rr-keeper")
    count = int(str(options.pop("num_nodes", None) or 1))
    settings = lifecycle.checked(**options)  # type: ignore[arg-type]
    cluster = starting.start_head("127.0.0.1", 0, tied=True)
    place = Place.of(cluster)
    try:
        for _ in range(count):
            starting.start_node(cluster, settings, "127.0.0.1", tied=True)
        about = json.dumps({"pid": os.getpid(), "started": started(os.getpid()), "address": cluster.address})
        written = folder / "keeper.json"
        written.with_suffix(".new").write_text(about)
        written.with_suffix(".new").replace(written)
        print(about, flush=True)
        os.dup2(2, 1)
        while os.read(alive, 1):
            pass  # nobody writes
    finally:
        stopping.stop(place)
        (folder / "keeper.json").unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
