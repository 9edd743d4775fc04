"""A call keeps its actor alive: the handle that it was made with may be gone at once."""

from __future__ import annotations

import rustyray


class Adder:
    def __init__(self, start: int) -> None:
        self.start = start

    def add(self, number: int) -> int:
        return self.start + number


def test_a_call_on_a_handle_that_nobody_keeps_is_answered() -> None:
    with rustyray.init(num_cpus=2):
        adder = rustyray.remote(Adder)
        assert rustyray.get(adder.remote(1).add.remote(2)) == 3
        refs = [adder.options(num_cpus=0).remote(number).add.remote(1) for number in range(4)]
        assert rustyray.get(refs) == [1, 2, 3, 4]
