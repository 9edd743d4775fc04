"""What runs on a real Ray: ``python3 dev.py test --ray``. Without it these tests are skipped, each module in one."""

import os

import pytest

if not os.environ.get("RUSTYRAY_TEST_ON_RAY"):
    pytest.skip("on a real Ray: python3 dev.py test --ray", allow_module_level=True)

# Ray decides once for a process whether its clusters ask for tokens.
os.environ["RAY_AUTH_MODE"] = "disabled"
