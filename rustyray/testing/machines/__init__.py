"""State machines for Hypothesis: random programs that use a runtime, beside a model that says what has to come out.

machine.py     what they have in common: the engine, the program so far, and how a line runs again
lifecycle.py   starts, ends, crashes and forks; held.py sees what a process holds
graphs.py      tasks, actors and objects that depend on one another; faulty.py: the same under faults
references.py  which objects are alive
modelled.py    anybody's actor beside anybody's model
"""
