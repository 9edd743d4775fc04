"""What ordinary code gets in place of the standard library's while it is simulated.

patches.py     puts it there, and puts back what was there
clock.py       the time
threads.py     threads, locks, queues, pools
loop.py        event loops
outside.py     what must not be: processes, sockets; and the end of the own process
interrupts.py  Ctrl-C
"""
