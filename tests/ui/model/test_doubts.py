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
    assert read_names("\ufeffcat\r\n\n dog \n".encode(), 2) == (["cat", "dog"], "")


@pytest.mark.parametrize(
    ("content", "flaw"),
    [
        (zipped(), "no text file"),
        (b"a\0b", "no text file"),
        ("Löwe".encode("latin-1"), "no text file"),
        (b"\n \n", "One name a line"),
        (b"x" * (MOST_BYTES + 1), "at most 1 MB"),
        (b"a\nb", "has 3 outputs, the file names 2"),
        (b"a\nb\na", "stands there twice"),
    ],
)
def test_what_names_no_outputs_is_refused_in_a_sentence(content, flaw):
    assert flaw in read_names(content, 3)[1]
