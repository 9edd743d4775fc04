"""Strategies for Hypothesis: the parts that programs for a distributed runtime are made of.

options.py     arguments of init
lifecycles.py  starts, uses and ends of runtimes
graphs.py      tasks, actors and objects that depend on one another
programs.py    calls of an actor
faults.py      what fails, and when
"""
