"""Ray's public names, and what is there of them.

names.py   the names, of Ray's core
status.py  which of them RustyRay has, and of the others why not, and what to do instead
"""
