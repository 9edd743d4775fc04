"""The functions and classes that users call: thin, checked, typed doors to whichever engine runs the program."""
