"""Clusters that stand apart from the process that runs the tests, and end with it all the same.

process.py       starts a keeper, which is a process of its own
program.py       what that does: it starts a cluster, and ends it when nobody holds the other end of its pipe any more
redis_server.py  a Redis server of the cluster's own
"""
