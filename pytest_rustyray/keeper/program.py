"""Starts a cluster, and ends it when standard input does. Run as a program: FOLDER OPTIONS.

The head, the nodes and what else it starts end with this process, however that ends.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from pytest_rustyray.keeper.redis_server import redis_server
from rustyray.api import init_options
from rustyray.engines.native.processes import kernel
from rustyray.engines.native.standing import starting, stopping
from rustyray.engines.native.standing.places import Place, started

#: What the plugin has in workers; the nodes are forked with it.
FOR_WORKERS: Final = "pytest_rustyray.in_workers.installed"


def main(folder: Path, options: dict[str, object]) -> None:
    kernel.set_name("rr-keeper")
    count = int(str(options.pop("num_nodes", None) or 1))
    store, temporary = str(options.pop("store", "memory")), options.pop("temporary", False)
    settings = init_options.checked(**options)  # type: ignore[arg-type]
    with ExitStack() as stack:
        if store == "redis":
            store = stack.enter_context(redis_server(folder))
        elif store == "sqlite":
            store = f"sqlite:{folder / 'head.db'}"
        cluster = starting.start_head("127.0.0.1", 0, store="" if store == "memory" else store, tied=True)
        place = Place.of(cluster)
        stack.callback(stopping.stop, place)
        for number in range(count):
            starting.start_node(cluster, settings, "127.0.0.1", beside=not number, tied=True, preload=[FOR_WORKERS])
        about = json.dumps([os.getpid(), started(os.getpid()), cluster.address])
        written = folder / "keeper.json"
        written.with_suffix(".new").write_text(about)
        written.with_suffix(".new").replace(written)
        stack.callback(written.unlink, missing_ok=True)
        print(about, flush=True)
        os.dup2(2, 1)
        while os.read(0, 1):
            pass  # nobody writes
    if temporary:
        shutil.rmtree(folder, ignore_errors=True)  # who made it may have been killed


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
