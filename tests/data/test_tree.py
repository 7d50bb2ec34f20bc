from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
import pytest

from zspag_core.data.tree import Tree, load_tree, natural
from zspag_core.errors import DataError


@pytest.fixture
def load(png):
    """Loads a tree of 2x2 pictures, each in the shade that the mapping gives to its path."""

    def load_shades(shades, folders=()):
        files = {
            PurePosixPath(path): (lambda shade=shade: png(np.full((2, 2), shade, np.uint8)))
            for path, shade in shades.items()
        }
        tree = Tree.of("mine.zip", [PurePosixPath(folder) for folder in folders], files)
        return load_tree(tree, "mine", 2, 1)

    return load_shades


def shades_of(split):
    return dict(zip(split.images[:, 0, 0, 0].tolist(), split.labels.tolist(), strict=True))


SPLITS = {"train/cat/1.png": 10, "train/dog/1.png": 11, "test/cat/1.png": 20, "test/dog/1.png": 21}


def test_train_and_test_folders(load):
    data = load(SPLITS)
    assert shades_of(data.train) == {10: 0, 11: 1}
    assert shades_of(data.test) == {20: 0, 21: 1}
    assert data.class_names == ("cat", "dog")


def test_a_folder_around_everything_and_any_case(load):
    data = load({f"Faces/{path}".replace("train", "Train"): shade for path, shade in SPLITS.items()})
    assert shades_of(data.train) == {10: 0, 11: 1}


def test_val_stands_in_for_test_but_gives_way_to_it(load):
    validation = {path.replace("test", "val"): shade + 10 for path, shade in SPLITS.items() if "test" in path}
    train = {path: shade for path, shade in SPLITS.items() if "train" in path}
    assert shades_of(load(train | validation).test) == {30: 0, 31: 1}
    assert shades_of(load(SPLITS | validation).test) == {20: 0, 21: 1}


def test_class_folders_alone_are_split(load):
    shades = {f"{kind}/{number}.png": 10 * label + number for label, kind in enumerate("ab") for number in range(10)}
    data = load(shades)
    assert (len(data.train), len(data.test)) == (16, 4)
    assert shades_of(data.train) | shades_of(data.test) == {shade: shade // 10 for shade in shades.values()}
    assert shades_of(load(shades).test) == shades_of(data.test)


def test_a_train_folder_alone_is_split(load):
    data = load({f"train/{kind}/{number}.png": 0 for kind in "ab" for number in range(5)})
    assert data.class_names == ("a", "b")
    assert len(data.test) == 2


def test_a_class_may_be_called_train(load):
    assert load({f"{kind}/{number}.png": 0 for kind in ("bus", "train") for number in range(5)}).class_names == (
        "bus",
        "train",
    )


def test_classes_and_files_come_in_natural_order(load):
    assert sorted(["c10", "C2", "b", "c1"], key=natural) == ["b", "c1", "C2", "c10"]
    data = load(
        {f"{part}/class{label}/{n}.png": n for part in ("train", "test") for label in range(1, 12) for n in (10, 9)}
    )
    assert data.class_names[1:3] == ("class2", "class3")
    assert data.train.images[:2, 0, 0, 0].tolist() == [9, 10]


def test_pictures_in_deeper_folders_belong_to_the_class(load):
    deep = {path.replace("1.png", f"sub/{n}.png"): shade for path, shade in SPLITS.items() for n in range(2)}
    assert len(load(deep).train) == 4


def test_hidden_files_and_other_files_are_skipped(load):
    extra = {
        "__MACOSX/train/cat/._1.png": 0,
        "train/cat/.hidden.png": 0,
        "train/.git/1.png": 0,
        "train/cat/notes.txt": 0,
    }
    data = load(SPLITS | extra | {"README.md": 0, "train/cat/Thumbs.db": 0})
    assert shades_of(data.train) == {10: 0, 11: 1}
    assert data.class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("shades", "folders", "message"),
    [
        ({}, [], r"mine\.zip has no class folders"),
        ({"1.png": 0, "2.png": 0}, [], r"mine\.zip has no class folders"),
        ({"cat/1.png": 0, "cat/2.png": 0}, [], r"mine\.zip has only one class"),
        ({f"c{n}/1.png": 0 for n in range(1001)}, [], r"mine\.zip has 1,001 classes; expected 2 to 1,000"),
        ({"cat/1.png": 0, "cat/2.png": 0}, ["dog"], r"Class 'dog' is empty in the images of mine\.zip"),
        ({"cat/1.png": 0, "cat/2.png": 0, "dog/notes.txt": 0}, [], r"Class 'dog' is empty in the images of mine\.zip"),
        (SPLITS | {"test/eel/1.png": 0}, [], r"Class 'eel' is empty in the training images of mine\.zip/train"),
        (SPLITS | {"train/eel/1.png": 0}, [], r"Class 'eel' is empty in the test images of mine\.zip/test"),
    ],
)
def test_what_cannot_be_used_is_refused(load, shades, folders, message):
    with pytest.raises(DataError, match=message):
        load(shades, folders)


def test_an_unreadable_image_is_named():
    files = {PurePosixPath(f"{kind}/{number}.jpg"): lambda: b"oops" for kind in "ab" for number in range(2)}
    with pytest.raises(DataError, match=r"mine\.zip/a/0\.jpg is not an image that can be read"):
        load_tree(Tree.of("mine.zip", [], files), "mine", 2, 1)
