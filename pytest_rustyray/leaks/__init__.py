"""What a test leaves behind: found, told, cleaned up, so that the next test starts clean.

checking.py    when it is looked, and whom a find belongs to
finding.py     all that is looked at, compared
processes.py   children, and orphans that they leave
threads.py     Python's threads
files.py       descriptors, sockets, shared memory, folders of clusters
origins.py     where it was made
of_ray.py      what of a real Ray is its own
of_loky.py     what joblib's processes are, which it keeps
work.py        refs, actors and tasks of a runtime that outlives the test
"""
