"""Ordinary programs, whose outcome is known to the letter, to be run under schedules with faults.

table.py     the table, what may be asked of a result, and what must hold when a program is over
tasks.py     tasks of tasks, arguments that are refs, waiting, errors, cancelling
objects.py   refs inside values, borrowers of borrowers, large objects
actors.py    calls and their order, coroutines, threads, names, handles that travel
ends.py      actors that are killed, restarted, that leave, or whose owner does
"""
