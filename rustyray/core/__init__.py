"""The protocol cores: everything that decides, and nothing that acts.

A core is a plain object. Its host (the native engine, the simulator, a unit test) feeds it messages, losses of peers
and the time, and carries out the effects it leaves in ``out``. No socket, thread, clock, file or randomness in here.
"""
