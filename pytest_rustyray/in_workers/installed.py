"""Imported by the process that workers are forked from: from then on they are this plugin's, too."""

import pytest_rustyray.in_workers.assertions  # noqa: F401 - that is all it takes
from pytest_rustyray.in_workers.harness import InWorker
from rustyray.runtime import context

context.harness = InWorker()
