"""What ordinary code gets in place of the standard library's while it is simulated.

stage.py       all of it, for one runtime or for many that follow one another
patches.py     puts it there, and puts back what was there
clock.py       the time
threads.py     threads, queues, pools; locks.py their locks
loop.py        event loops
order.py       the same names, and the same order in sets, in each run
outputs.py     standard output and error, of which workers may have none
outside.py     what must not be: processes, sockets
signals.py     signals, and the end of the own process; interrupts.py Ctrl-C
"""
