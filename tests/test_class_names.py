from __future__ import annotations

import pytest

from zspag_core.class_names import read_class_names
from zspag_core.errors import UsageError


@pytest.mark.parametrize(
    "text",
    [
        "orchid\n rose \n\n",
        '["orchid", "rose"]',
        '{"0": "orchid", "1": "rose"}',
        '{"rose": 1, "orchid": 0}',
        '{"model_type": "vit", "id2label": {"1": "rose", "0": "orchid"}}',
    ],
)
def test_one_name_a_line_and_the_forms_of_json(text):
    found = read_class_names(text)
    assert (found.names, found.note) == (("orchid", "rose"), "")


@pytest.mark.parametrize("text", ["0 orchid\n1 rose", "0: orchid\n1: rose", "1,rose\n0,orchid", "1. orchid\n2. rose"])
def test_numbered_lines_are_taken_in_the_order_of_their_numbers(text):
    found = read_class_names(text)
    assert found.names == ("orchid", "rose")
    assert found.note.startswith(
        f"the lines of class names are numbered from {min(text[0], text.splitlines()[1][0])}: "
    )


@pytest.mark.parametrize("text", ["1 cent\n2 cent", "0\n1", "7 up\n8 up", "1 cat\ndog", "[x]\n{y}", "3 a\n3 b"])
def test_numbers_that_belong_to_the_names_stay(text):
    found = read_class_names(text)
    assert (found.names, found.note) == (tuple(text.splitlines()), "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected one class name a line, but there is none"),
        ("a\n\nb", "expected one class name a line, but line 2 is empty"),
        ("orchid, rose,tulip", "expected one class name a line, got 3 in one line: orchid, rose,tulip"),
        ('{"a": Infinity, "b": 0}', 'numbered from 0: .*got ."a": Infinity, "b": 0.$'),
        ('["\\ud83d", 3]', r'numbered from 0: .*got ."\\ud83d", 3.$'),
        ('["a", "a"]', 'numbered from 0: .*got ."a", "a".$'),
        ('{"1": "a", "3": "b"}', 'numbered from 0: .*got ."1": "a", "3": "b".$'),
    ],
)
def test_what_names_no_outputs_is_refused(text, said):
    with pytest.raises(UsageError, match=said):
        read_class_names(text)


def test_halves_of_characters_are_written_out():
    assert read_class_names('["\\ud83d", "rose"]').names == ("\\ud83d", "rose")


def test_a_number_of_thousands_of_digits_is_a_name():
    lines = f"{'9' * 5000} orchid\n1 rose"
    assert read_class_names(lines).names == tuple(lines.splitlines())


@pytest.mark.parametrize("text", ['["cat", "dog"', '{"0": "cat",', '[\n  "cat",\n  dog]'])
def test_broken_json_is_called_that(text):
    with pytest.raises(UsageError, match="begins as JSON and is broken"):
        read_class_names(text)


def test_broken_json_of_several_lines_is_refused_in_one():
    with pytest.raises(UsageError, match=r"begins as JSON and is broken: ..cos system") as caught:
        read_class_names("[\"cos\nsystem\n(S'touch'\ntR.\"]")
    assert "\n" not in str(caught.value)
