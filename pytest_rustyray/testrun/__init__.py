"""One cluster for all processes of a run: those of pytest-xdist join it as drivers.

holding.py what the processes of a run have together: a folder, and a pipe that says which of them are there
keeper.py  a process that starts the cluster, and ends it when nobody holds the pipe any more, however they ended
fixture.py `rustyray_testrun`
"""
