"""Whatever a file's names hold, what is told can be written, sent and read on one line."""

import pytest

from zspag_core.errors import DataError, MisfitError, some_of
from zspag_core.wording import on_one_line, well_formed

WORDS = [
    ("a cat, ein Kätzchen, 猫", "a cat, ein Kätzchen, 猫"),
    ("half \ud83d a character", "half \\ud83d a character"),
    ("one  \n\ttwo\u2028three\r\n", "one two three "),
    ("two  blanks", "two  blanks"),
    ("\x1b[31mred\x00", "\\x1b[31mred\\x00"),
]


@pytest.mark.parametrize(("told", "shown"), WORDS)
def test_a_text_stays_one_readable_line(told, shown):
    assert on_one_line(told) == shown
    assert str(DataError(told)) == shown
    assert str(MisfitError(told)) == f"model and data do not fit: {shown}"
    assert some_of([told], 1) == (f'"{shown}"' if "," in told else shown)


def test_a_text_is_well_formed_and_else_as_it_was():
    assert well_formed("one\n\x1btwo \ud83d 猫") == "one\n\x1btwo \\ud83d 猫"
