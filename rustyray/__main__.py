"""``python -m rustyray``: as the command ``rustyray``."""

from rustyray.commands import main

if __name__ == "__main__":
    main()
