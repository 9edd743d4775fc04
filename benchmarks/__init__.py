"""Measures RustyRay beside its peers: ``python -m benchmarks --help``."""
