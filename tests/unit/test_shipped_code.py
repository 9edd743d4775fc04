"""Code that travels by value keeps what a person needs to find it again."""

from __future__ import annotations

import traceback

from rustyray.runtime.serialization import dumps_function, loads


def test_a_traceback_names_the_file_and_line_of_a_function_sent_by_value() -> None:
    marker = "raised in a function that was pickled by value"

    def fails() -> None:
        def inner() -> None:
            raise ValueError(marker)

        inner()

    arrived = loads(dumps_function(fails)[0])
    try:
        arrived()
    except ValueError as error:
        frames = traceback.extract_tb(error.__traceback__)
    assert [frame.filename for frame in frames[-2:]] == [__file__, __file__]
    assert frames[-1].line == "raise ValueError(marker)"
