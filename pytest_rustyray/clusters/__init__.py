"""A cluster whose nodes come, go and fail while a test runs.

cluster.py what a test does with it
fixture.py what `rustyray_cluster` does
"""
