"""swifter's parallel ``groupby().apply()`` on RustyRay, beside pandas' own."""

from __future__ import annotations

import sys

from benchmarks.clients.frame import folder, install, run_program


def main() -> None:
    place = folder("swifter")
    sys.exit(
        run_program(install(place, ["swifter==1.4.0", "pandas<3", "numpy"]), "benchmarks.clients.with_swifter", place)
    )


if __name__ == "__main__":
    main()
