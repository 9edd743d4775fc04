"""The systems that are compared, known without importing any of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec


@dataclass(frozen=True, slots=True)
class Library:
    """A system's title in the tables, and the module and distribution it needs beyond the standard library."""

    title: str
    module: str | None = None
    distribution: str | None = None

    def installed(self) -> bool:
        """Whether the module could be imported."""
        return self.module is None or find_spec(self.module) is not None

    def version(self) -> str | None:
        """The distribution's name and version; None for the standard library."""
        if self.distribution is None:
            return None
        try:
            return f"{self.distribution} {metadata.version(self.distribution)}"
        except metadata.PackageNotFoundError:
            return f"{self.distribution} from source"


SYSTEMS = {
    "raw": Library("raw"),
    "futures": Library("ProcessPoolExecutor"),
    "pool": Library("multiprocess.Pool", "multiprocess", "multiprocess"),
    "loky": Library("loky", "loky", "loky"),
    "dask": Library("dask", "distributed", "distributed"),
    "ray": Library("Ray", "ray", "ray"),
    "rustyray": Library("RustyRay", "rustyray", "rustyray"),
}
"""Every system by name, in the order of the table's columns."""
