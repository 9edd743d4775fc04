"""A day's work with data frames, done by pandas and by modin on RustyRay: the results have to be the same.

modin imports ``ray.data`` for one function that hands frames over to it. There is no such module here, so one takes its
place that has the function's name only.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable
from typing import Any

import rustyray.compat

rustyray.compat.install()
_data = types.ModuleType("ray.data")
_data.from_pandas_refs = None  # type: ignore[attr-defined]
sys.modules["ray.data"] = _data
os.environ.update(MODIN_ENGINE="ray", MODIN_CPUS="2")

import modin.pandas  # noqa: E402
import numpy as np  # noqa: E402
import pandas  # noqa: E402, ICN001 - beside another of its kind

ROWS = 20_000
Work = Callable[[Any, Any], Any]

WORK: dict[str, Work] = {
    "sum": lambda pd, df: df.sum(numeric_only=True),
    "mean by group": lambda pd, df: df.groupby("key").mean(numeric_only=True),
    "size of groups": lambda pd, df: df.groupby("key").size(),
    "describe": lambda pd, df: df.describe(),
    "filter": lambda pd, df: df[df.a > 500],
    "sort": lambda pd, df: df.sort_values(["key", "a"]),
    "apply to rows": lambda pd, df: df[["a", "b"]].apply(lambda row: row.a + row.b, axis=1),
    "map": lambda pd, df: df.a.map(lambda a: a * 2),
    "join": lambda pd, df: df.merge(pd.DataFrame({"key": range(7), "name": list("abcdefg")}), on="key"),
    "concat": lambda pd, df: pd.concat([df, df]),
    "pivot": lambda pd, df: df.pivot_table(index="key", values="b", aggfunc="sum"),
    "fill": lambda pd, df: df.where(df > 100).fillna(0),
    "quantile": lambda pd, df: df.b.quantile([0.1, 0.5, 0.9]),
    "rolling": lambda pd, df: df.b.rolling(5).mean(),
    "cumulate": lambda pd, df: df.a.cumsum(),
    "text": lambda pd, df: df.key.astype(str).str.zfill(3),
    "duplicates": lambda pd, df: df.drop_duplicates("key"),
    "an error": lambda pd, df: str(_caught(lambda: df["missing"])),
}


def _caught(work: Callable[[], Any]) -> type[BaseException]:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - its class is the result
        return type(error)
    raise AssertionError("it did not fail")


def frame(pd: Any) -> Any:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"key": np.arange(ROWS) % 7, "a": rng.integers(0, 1000, ROWS), "b": rng.random(ROWS)})


def same(expected: Any, found: Any) -> None:
    found = found._to_pandas() if hasattr(found, "_to_pandas") else found
    if isinstance(expected, pandas.DataFrame):
        pandas.testing.assert_frame_equal(expected, found)
    elif isinstance(expected, pandas.Series):
        pandas.testing.assert_series_equal(expected, found)
    else:
        assert expected == found, f"{found!r} instead of {expected!r}"


def main() -> None:
    failed = 0
    for name, work in WORK.items():
        try:
            same(work(pandas, frame(pandas)), work(modin.pandas, frame(modin.pandas)))
        except Exception as error:  # noqa: BLE001 - told, and counted
            failed += 1
            print(f"  {name}: {type(error).__name__}: {str(error).partition(chr(10))[0][:150]}")
    print(f"modin {modin.__version__}: {len(WORK) - failed} of {len(WORK)} results as pandas has them")
    rustyray.shutdown()
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
