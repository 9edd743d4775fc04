"""Histories of calls to actors, and whether they could have come from one call after the other.

history.py          records them, as operations.py
models.py           what the actor is supposed to do
linearizability.py  the check, and what it raises; search.py finds a legal order
timeline.py         draws the part that nothing explains
"""
