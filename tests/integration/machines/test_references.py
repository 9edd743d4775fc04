"""Objects are alive exactly while they can be reached."""

from __future__ import annotations

from rustyray.testing import ReferenceMachine
from tests.integration.machines.finding import profile


class Simulated(ReferenceMachine):
    pass


class Native(ReferenceMachine):
    engine = "native"


TestSimulated = Simulated.TestCase
TestSimulated.settings = profile(20)
TestNative = Native.TestCase
TestNative.settings = profile(4, steps=12)
