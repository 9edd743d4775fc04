"""How processes come to be, what they inherit, and what the kernel says of them.

zygote.py              the driver's side of the process that forks nodes; spawn.py starts it, zygote_main.py is it
boot.py                what a forked process is told before it can be spoken to
spare.py               a worker's process that is forked ahead
worker_processes.py    the workers of a node, as the kernel has them
surroundings.py        what is taken over from the driver: directory, environment, import path
texts.py               names of files and variables that are no Unicode, in messages
forks.py               programs that fork by themselves
kernel.py              what we ask the kernel about processes
"""
