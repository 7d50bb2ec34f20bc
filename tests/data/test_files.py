from __future__ import annotations

import zipfile

from zspag_core.data.files import InArchive, OnDisk


def test_a_file_on_the_disk(tmp_path):
    (tmp_path / "a").write_bytes(b"hello")
    assert OnDisk(tmp_path / "a")() == b"hello"
    assert OnDisk(tmp_path / "a").head(2) == b"he"


def test_a_member_of_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("b/c", b"hello")
    assert InArchive(tmp_path / "a.zip", "b/c")() == b"hello"
    assert InArchive(tmp_path / "a.zip", "b/c").head(2) == b"he"
