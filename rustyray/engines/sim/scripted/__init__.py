"""Scripted programs: what stands for the user's code when the cores themselves are tried.

scripts.py  the steps there are; values.py their values; library.py has scripts by name
running.py  the interpreter
client.py   a driver or worker as a program sees it; driver.py the first, worker.py the second, process.py beneath both
world.py    a world of them, and how it is run
"""
