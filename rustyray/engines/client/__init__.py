"""What engines with an owner core in each process have in common: everything between a program's calls and the cores.

client.py         what a program can ask for; cluster_client.py and futures.py are parts of it
store.py          large values, written to and read from an arena; layout.py says how they lie in it
worker.py         what a worker does besides: it takes jobs and reports
running.py        a worker's jobs: arguments in, the user's code, results out
actor_host.py     the actor that lives in a worker
waiter.py         somebody who waits
ports.py          what these need from the engine: a pump, a hub, an arena, a process to work in

Time, messages, threads and processes are the engine's business: none of these modules touches them.
"""
