"""A test suite written for Ray core, on Ray and, with ``--rustyray-as-ray``, on RustyRay.

suite/       the tests, as Ray's users write them: each has a fixture of its own
fixtures.py  the fixtures they ask for, on Ray
__main__.py  runs them on both, and compares outcomes and times
"""
