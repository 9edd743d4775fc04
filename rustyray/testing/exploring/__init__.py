"""Exploring schedules: runs a scenario under many, and tells about the first that fails.

explore.py     the loop, and what it raises; explorers.py says which schedules, exhaustive.py all of them
trial.py       one run under one schedule
drawing.py     schedules as a Hypothesis strategy
shrinking.py   the fewest departures that still fail
telling.py     the story of a failure
lines.py       a schedule as one line of text; replaying.py runs it again
"""
