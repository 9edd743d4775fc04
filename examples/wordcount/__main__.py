"""Print the commonest words of the standard library: `python -m examples.wordcount [how many]`."""

from __future__ import annotations

import sys

import rustyray
from examples.corpus import stdlib_sources
from examples.wordcount.counting import word_count


def main(arguments: list[str]) -> None:
    """Counts, then prints one word a line."""
    top = int(arguments[0]) if arguments else 10
    with rustyray.init(num_cpus=2):
        counts = word_count(stdlib_sources(200))
    for word, count in counts.most_common(top):
        print(f"{count:8} {word}")


if __name__ == "__main__":
    main(sys.argv[1:])
