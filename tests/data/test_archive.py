from __future__ import annotations

import zipfile

import pytest

from zspag_core.data import archive as archives
from zspag_core.data.archive import open_archive, read_later, read_member
from zspag_core.errors import DataError, UsageError


@pytest.fixture
def make(tmp_path):
    def write(members, compression=zipfile.ZIP_DEFLATED):
        path = tmp_path / "mine.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return write


def test_members_are_read(make):
    with open_archive(make({"a/b.txt": b"hello"})) as archive:
        assert read_member(archive, archive.infolist()[0]) == b"hello"


@pytest.mark.parametrize("name", ["../b.png", "a/../../b.png", "/etc/b.png", "a\\..\\..\\b.png", "C:/b.png", "\\b.png"])
def test_members_that_leave_the_folder(make, name):
    with (
        pytest.raises(DataError, match=r"mine\.zip has a member that leaves its folder: '"),
        open_archive(make({name: b""})),
    ):
        pass


def test_dots_within_a_name_are_no_reason_to_refuse(make):
    with open_archive(make({"a/b..png": b"", "..c/d.png": b""})) as archive:
        assert len(archive.infolist()) == 2


def test_a_zip_bomb_is_refused_by_its_ratio(make, monkeypatch):
    monkeypatch.setattr(archives, "RATIO_FREE_BYTES", 10_000)
    with (
        pytest.raises(DataError, match=r"mine\.zip unpacks to [\d,]+ times its size, as a zip bomb does"),
        open_archive(make({"a": bytes(10**6)})),
    ):
        pass


def test_a_large_archive_is_refused_by_its_size(make, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 10**6)
    path = make({"a": bytes(2 * 10**6)}, zipfile.ZIP_STORED)
    with pytest.raises(DataError, match=r"mine\.zip unpacks to 0\.0 GB; expected at most"), open_archive(path):
        pass


def test_the_limit_can_be_raised(make, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 10**6)
    path = make({"a": bytes(2 * 10**6)}, zipfile.ZIP_STORED)
    monkeypatch.setenv("ZSPAG_MAX_DATA_GB", "0.002")
    with open_archive(path) as archive:
        assert len(read_member(archive, archive.infolist()[0])) == 2 * 10**6
    monkeypatch.setenv("ZSPAG_MAX_DATA_GB", "0.001")
    with (
        pytest.raises(DataError, match=r"expected at most 0\.0 GB \(ZSPAG_MAX_DATA_GB raises the limit\)"),
        open_archive(path),
    ):
        pass
    for asked in ("much", "-1", "0", "inf", "nan"):
        monkeypatch.setenv("ZSPAG_MAX_DATA_GB", asked)
        with pytest.raises(UsageError, match="ZSPAG_MAX_DATA_GB: expected a number of gigabytes"), open_archive(path):
            pass


def test_the_beginning_of_a_member_alone(make):
    path = make({"a/b.txt": b"hello"})
    assert read_later(path, "a/b.txt", 3) == b"hel"
    assert read_later(path, "a/b.txt") == b"hello"
    with pytest.raises(DataError, match="cannot be read any more"):
        read_later(path, "a/c.txt")


def test_a_lying_header_gives_no_more_than_it_declares(make):
    """The member holds 1 MB and declares 10 bytes: at most those are read, and then the checksum is wrong."""
    path = make({"a": bytes(10**6)})
    content = path.read_bytes()
    path.write_bytes(content.replace((10**6).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with open_archive(path) as archive, pytest.raises(DataError, match=r"mine\.zip/a cannot be unpacked"):
        read_member(archive, archive.infolist()[0])


def test_not_an_archive(tmp_path):
    path = tmp_path / "mine.zip"
    path.write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"mine\.zip is not a zip archive"), open_archive(path):
        pass


def test_a_damaged_member_is_named(make):
    path = make({"a.png": b"x" * 100}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    with open_archive(path) as archive, pytest.raises(DataError, match=r"mine\.zip/a\.png cannot be unpacked"):
        read_member(archive, archive.infolist()[0])


def test_an_encrypted_member_is_named(make):
    path = make({"a.png": b"x"})
    content = path.read_bytes()
    local, central = content.index(b"PK\x03\x04") + 6, content.index(b"PK\x01\x02") + 8
    flagged = bytearray(content)
    flagged[local] |= 1
    flagged[central] |= 1
    path.write_bytes(flagged)
    with open_archive(path) as archive, pytest.raises(DataError, match="damaged or encrypted"):
        read_member(archive, archive.infolist()[0])
