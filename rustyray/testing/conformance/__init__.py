"""What Ray promises, one case a sentence; the same cases run on every engine, and on Ray itself.

    python -m rustyray.testing.conformance --engine sim

A case is a plain function in one of the ``subjects``: its docstring is the sentence, its body the program that checks
it. It is written against ``api``, which is the module `rustyray`, or Ray's own.

subjects/       the cases, by what they are about
cases.py        what a case is, and all of them
runtimes.py     the engines, and the runtimes that cases share
helpers.py      what several cases need
departures.py   the cases where RustyRay decides otherwise than Ray, and why
plugin.py       cases as pytest's tests
"""
