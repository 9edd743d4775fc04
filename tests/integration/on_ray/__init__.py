"""What runs on a real Ray: ``python3 dev.py test --ray``. Without it these tests are skipped, each module in one."""

import os

import pytest

if not os.environ.get("RUSTYRAY_TEST_ON_RAY"):
    pytest.skip("on a real Ray: python3 dev.py test --ray", allow_module_level=True)

# Ray decides once for a process whether its clusters ask for tokens.
os.environ["RAY_AUTH_MODE"] = "disabled"
# Its workers are no background work here: at the niceness of 15 that it gives them, they starve beside anything else.
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - so Ray spells it
