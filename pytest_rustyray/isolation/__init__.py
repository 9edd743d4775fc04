"""Tests that run in a process of their own, forked from pytest: what they do to it is gone with it.

isolating.py   which tests, and the hook that runs them
parent.py      forks, hears what the child tells, and reports its death if it dies
child.py       runs the test in the child, and tells
inherited.py   what a child must let alone, or has no part in
pipe.py        messages from the one to the other
"""
