"""Exploring schedules: runs a scenario under many, and tells about the first that fails.

explore.py     the loop, and what it raises; explorers.py says which schedules, exhaustive.py all of them
trial.py       one run under one schedule
drawing.py     schedules as a Hypothesis strategy
shrinking.py   the fewest departures that still fail
telling.py     the story of a failure
unread.py      errors that nobody reads; sites.py notes where refs were made and let go
differing.py   what is said when the same schedule goes two ways
lines.py       a schedule as one line of text; replaying.py runs it again
"""
