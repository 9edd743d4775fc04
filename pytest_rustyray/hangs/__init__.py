"""Tests that take too long: ended at their deadline, with a report of who waits for what.

deadline.py  when a test is to be over, and what happens to it then
watchdog.py  the thread that keeps the time
looking.py   what the processes of a runtime are doing
"""
