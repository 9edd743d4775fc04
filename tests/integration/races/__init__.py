"""Classic races of distributed Python, each with its correct twin.

state.py     what is read and then written, by several
order.py     what is taken to happen before something else
waiting.py   locks, events, and actors that wait for one another
failing.py   crashes, retries, time-outs
races.py     the table
"""
