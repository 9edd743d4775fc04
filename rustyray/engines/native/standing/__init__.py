"""Clusters that stand by themselves: started from the command line, joined by any number of drivers, and stopped again.

places.py        what is written down about them on this machine: the key, the address, which processes there are
caller.py        a few questions to one of their processes, without a runtime of one's own
daemon.py        a process that goes on when the one that started it has ended
head_process.py  the head, in a process of its own
starting.py      start heads and nodes
restarting.py    a node that the head has refused becomes another one
asking.py        what heads and nodes answer to who has no runtime
stopping.py      end them
of_program.py    one that ends with the program that has started it
"""
