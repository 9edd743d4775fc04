"""One cluster for all processes of a run: those of pytest-xdist join it as drivers.

holding.py what the processes of a run have together: a folder, and a pipe that says which of them are there
fixture.py what `rustyray_testrun` does
"""
