from __future__ import annotations

import io
import zipfile

import pytest

from ui.model.doubts import MOST_BYTES, read_names


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.txt", "a")
    return content.getvalue()


def test_names_are_read_one_a_line():
    assert read_names("\ufeffcat\r\n dog \n\n".encode(), 2) == (["cat", "dog"], "", "")
    assert read_names(b'{"dog": 1, "cat": 0}', 2) == (["cat", "dog"], "", "")
    names, note, flaw = read_names(b"1 cat\n2 dog", 2)
    assert (names, flaw) == (["cat", "dog"], "")
    assert note.startswith(" The lines of class names are numbered from 1")


@pytest.mark.parametrize(
    ("content", "flaw"),
    [
        (zipped(), "no text file"),
        (b"a\0b", "no text file"),
        ("Löwe".encode("latin-1"), "no text file"),
        (b"\n \n", "Expected one class name a line, but there is none."),
        (b"a\n\nb\nc", "Expected one class name a line, but line 2 is empty."),
        (b"a,b,c", "Expected one class name a line, got 3 in one line\\: a,b,c."),
        (b"x" * (MOST_BYTES + 1), "at most 1 MB"),
        (b"a\nb", "has 3 outputs, the file names 2"),
        (b"a\nb\na", "stands there twice"),
    ],
)
def test_what_names_no_outputs_is_refused_in_a_sentence(content, flaw):
    assert flaw in read_names(content, 3)[2]
