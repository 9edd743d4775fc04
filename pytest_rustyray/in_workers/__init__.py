"""What the plugin does in workers.

installed.py    imported by the process that workers are forked from, and there only
harness.py      hears of each worker's start, and of each task
assertions.py   failed assertions explain themselves as under pytest
patches.py      what a test patches is patched in its workers, too
lines.py        the lines that tasks run count for pytest-cov
"""
