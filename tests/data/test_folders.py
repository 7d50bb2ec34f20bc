from __future__ import annotations

import os
import stat
import sys
import zipfile

import numpy as np
import pytest
import torch

from zspag_core.data.folders import load_folder, load_zip
from zspag_core.errors import DataError


@pytest.fixture
def folder(tmp_path, digit_images, png):
    """Digits 0 to 2 as class folders, 30 images in all."""
    root = tmp_path / "digits"
    images, labels = digit_images
    for number, (pixels, label) in enumerate(zip(images[:100], labels[:100], strict=True)):
        if label < 3:
            (root / str(label)).mkdir(parents=True, exist_ok=True)
            (root / str(label) / f"{number}.png").write_bytes(png(pixels))
    return root


@pytest.fixture
def pack(tmp_path):
    def write(root, extra=()):
        path = tmp_path / "digits.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(root.rglob("*")):
                archive.write(file, file.relative_to(root.parent))
            for info, content in extra:
                archive.writestr(info, content)
        return path

    return write


def test_a_folder_and_its_zip_are_the_same_data_set(folder, pack, digit_images):
    loose, packed = load_folder(folder, "mine", 8, 1), load_zip(pack(folder), "mine", 8, 1)
    assert loose.class_names == packed.class_names == ("0", "1", "2")
    assert torch.equal(loose.train.images, packed.train.images)
    assert torch.equal(loose.test.labels, packed.test.labels)
    images, labels = digit_images[0][:100], digit_images[1][:100]
    ours = torch.cat([loose.train.images, loose.test.images])[:, 0].flatten(1).tolist()
    assert sorted(ours) == sorted(images[labels < 3].reshape(-1, 64).tolist())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' folders have no names but Unicode")
def test_names_of_before_utf8_are_read(folder, pack):
    os.rename(os.fsencode(folder / "0"), os.path.join(os.fsencode(folder), b"caf\xe9"))  # noqa: PTH104, PTH118
    assert load_folder(folder, "mine", 8, 1).class_names == ("1", "2", "café")


def test_nothing_is_written(folder, pack, tmp_path):
    path = pack(folder)
    before = sorted(tmp_path.rglob("*"))
    load_zip(path, "mine", 8, 1)
    assert sorted(tmp_path.rglob("*")) == before


def test_links_in_a_zip_are_ignored(folder, pack):
    link = zipfile.ZipInfo("digits/0/passwd.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert len(load_zip(pack(folder, [(link, "/etc/passwd")]), "mine", 8, 1).train) == len(
        load_folder(folder, "mine", 8, 1).train
    )


def test_backslashes_separate_too(tmp_path, png):
    path = tmp_path / "windows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for kind in "ab":
            for number in range(2):
                archive.writestr(f"{kind}\\{number}.png", png(np.zeros((2, 2), np.uint8)))
    assert load_zip(path, "mine", 2, 1).class_names == ("a", "b")


@pytest.mark.parametrize("name", ["", ".", "./"])
def test_members_without_a_name_are_left_aside(folder, pack, name):
    nameless = zipfile.ZipInfo("x")
    nameless.filename = name
    assert len(load_zip(pack(folder, [(nameless, b"")]), "mine", 8, 1).train) > 0


def test_an_empty_class_folder_in_a_zip(folder, pack):
    (folder / "3").mkdir()
    with pytest.raises(DataError, match=r"Class '3' is empty in the images of .*digits\.zip"):
        load_zip(pack(folder), "mine", 8, 1)
    with pytest.raises(DataError, match=r"Class '3' is empty in the images of .*digits"):
        load_folder(folder, "mine", 8, 1)


def test_members_that_leave_the_folder(folder, pack):
    with pytest.raises(DataError, match=r"leaves its folder: '\.\./evil\.png'"):
        load_zip(pack(folder, [("../evil.png", b"")]), "mine", 8, 1)


def test_unreadable_images_are_named(folder, pack):
    (folder / "1" / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"digits/1/bad\.jpg is not an image"):
        load_folder(folder, "mine", 8, 1)
    with pytest.raises(DataError, match=r"digits\.zip/digits/1/bad\.jpg is not an image"):
        load_zip(pack(folder), "mine", 8, 1)


def test_a_damaged_member_is_named(folder, pack, png, digit_images):
    path = pack(folder)
    content = path.read_bytes()
    picture = next((folder / "1").iterdir()).read_bytes()
    path.write_bytes(content.replace(picture, picture[:-4] + b"oops"))
    with pytest.raises(DataError, match=r"digits\.zip/digits/1/\d+\.png cannot be unpacked"):
        load_zip(path, "mine", 8, 1)


def test_linked_class_folders_are_followed_but_not_round_in_circles(folder, tmp_path):
    try:
        (folder / "3").symlink_to(folder / "2")
        (folder / "0" / "up").symlink_to(folder)
    except OSError:
        pytest.skip("this system makes no symbolic links")
    data = load_folder(folder, "mine", 8, 1)
    assert data.class_names == ("0", "1", "2", "3")


@pytest.mark.slow
def test_faces(shared_data):
    path = shared_data / "faces12.zip"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    data = load_zip(path, "faces12.zip", 64, 3)
    assert data.num_classes == 12
    assert data.test.labels.bincount().tolist() == [20] * 12
    assert data.train.labels.bincount().min() >= 63
