"""A pytest plugin: joblib knows the backend "ray", and a runtime is up. Its tests want to count to more than there are
CPUs here."""

from collections.abc import Iterator

import pytest

import rustyray
from rustyray.util.joblib import register_ray

register_ray()


@pytest.fixture(autouse=True, scope="session")
def runtime() -> Iterator[None]:
    with rustyray.init(num_cpus=32):
        yield
