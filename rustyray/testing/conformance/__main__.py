"""``python -m rustyray.testing.conformance --engine ENGINE [pytest's options]``: run the cases on an engine.

Engines: native, sim, ray (RustyRay on a real Ray), oracle (Ray itself, without RustyRay).
"""

import os
import sys
from pathlib import Path

import pytest

from rustyray.testing.conformance.runtimes import ENGINES


def main(arguments: list[str]) -> int:
    engine, rest = "native", list(arguments)
    if "--engine" in rest:
        at = rest.index("--engine")
        engine = rest[at + 1] if at + 1 < len(rest) else ""
        del rest[at : at + 2]
    if engine not in ENGINES:
        print(f"{__doc__}\nThere is no engine {engine!r}.", file=sys.stderr)
        return 2
    os.environ["RUSTYRAY_CONFORMANCE_ENGINE"] = engine
    here = Path(__file__).parent / "test_cases.py"
    return int(pytest.main([str(here), "-p", "no:cacheprovider", "-W", "ignore", *rest]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
