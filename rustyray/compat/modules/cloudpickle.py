"""``ray.cloudpickle``: the package that pickles functions here, too."""

from cloudpickle import *  # noqa: F403
from cloudpickle import dump, dumps, load, loads

__all__ = ["dump", "dumps", "load", "loads"]
