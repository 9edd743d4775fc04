"""The simulated world.

world.py      the timeline: which events are possible, and what each does
process.py    a process with an owner core; node.py a node's process, on the first node with the head in it
network.py    channels between processes: in order each, any of them next; losses
faults.py     what goes wrong, and when
chooser.py    who decides what happens next: chance, a recorded trace, or a list of deviations
schedules.py  deviations from running to completion, and ways to draw them
story.py      what has happened
books.py      what must hold, whatever is chosen
"""
