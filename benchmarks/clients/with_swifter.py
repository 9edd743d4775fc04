"""swifter's ``groupby().apply()``, which is written for Ray, on RustyRay; the results have to be those of pandas."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import rustyray.compat

rustyray.compat.install()

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import swifter  # noqa: E402

ROWS = 20_000
WORK: dict[str, Callable[[Any], Any]] = {
    "a number for each group": lambda groups: groups.apply(lambda group: group.b.sum()),
    "rows for each group": lambda groups: groups.apply(
        lambda group: pd.Series({"most": group.a.max(), "n": len(group)})
    ),
    "arguments": lambda groups: groups.apply(lambda group, factor: group.b.mean() * factor, factor=3),
}


def main() -> None:
    rng = np.random.default_rng(0)
    df = pd.DataFrame({"key": np.arange(ROWS) % 97, "a": rng.integers(0, 1000, ROWS), "b": rng.random(ROWS)})
    failed = 0
    for name, work in WORK.items():
        expected = work(df.groupby("key"))
        found = work(df.swifter.progress_bar(False).groupby("key"))
        try:
            assert np.allclose(expected.to_numpy(), found.to_numpy())
            assert list(expected.index) == list(found.index)
        except AssertionError as error:
            failed += 1
            print(f"  {name}: {error}")
    print(f"swifter {swifter.__version__}: {len(WORK) - failed} of {len(WORK)} results as pandas has them")
    rustyray.shutdown()
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
