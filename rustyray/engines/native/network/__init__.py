"""Bytes between processes: who may speak, and how what they say goes out and comes in without ever blocking.

address.py      where a process listens
hub.py          all connections of one process, behind one epoll
greeter.py      connections that are not established yet
link.py         one that is; peers.py has the links by peer
tls.py          what leaves the machine; certificates.py and new_certificates.py prove who speaks
bodies.py       large objects, from arena to arena
poller.py       what is waited with; watch.py how, and sleeping.py where
parting.py      nodes that are kept apart, for tests
nonsense.py     peers that say what no sound peer says
"""
