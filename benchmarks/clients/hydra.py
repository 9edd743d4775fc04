"""hydra's launcher for Ray on RustyRay: sweeps whose jobs are tasks."""

from __future__ import annotations

import sys

from benchmarks.clients.frame import folder, install, run_program

#: The launcher wants Ray itself, which is not to be installed.
PACKAGES = ["hydra-core==1.3.8"]
LAUNCHER = ["--no-deps", "hydra-ray-launcher==1.2.2"]


def main() -> None:
    place = folder("hydra")
    sys.exit(run_program(install(place, PACKAGES, LAUNCHER), "benchmarks.clients.with_hydra", place))


if __name__ == "__main__":
    main()
