"""modin's data frames on RustyRay, beside pandas' own."""

from __future__ import annotations

import sys

from benchmarks.clients.frame import folder, install, run_program


def main() -> None:
    place = folder("modin")
    sys.exit(run_program(install(place, ["modin==0.37.1", "numpy"]), "benchmarks.clients.with_modin", place))


if __name__ == "__main__":
    main()
