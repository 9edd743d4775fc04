"""What the report of a failed test says about its runtime.

failing.py  when it is asked, and which sections that makes
asking.py   what a runtime tells, by a deadline
keeping.py  the folder that may stay of a test
"""
