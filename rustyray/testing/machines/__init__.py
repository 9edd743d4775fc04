"""State machines for Hypothesis: random programs that use a runtime, beside a model that says what has to come out.

machine.py     what they have in common: the engine, the program so far, and how a line runs again
running.py     those that have a runtime all the time
lifecycle.py   starts, ends, crashes and forks; held.py sees what a process holds
graphs.py      tasks, actors and objects that depend on one another; faulty.py: the same under faults
work.py, jobs.py, boxes.py   the functions and actors that all these use
references.py  which objects are alive
modelled.py    anybody's actor beside anybody's model
"""
