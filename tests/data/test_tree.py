from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
import pytest

from zspag_core.data.reading import PLAIN, ClassReading
from zspag_core.data.tree import Tree, load_tree
from zspag_core.errors import DataError


@pytest.fixture
def load(png):
    """Loads a tree of 2x2 pictures, each in the shade that the mapping gives to its path."""

    def load_shades(shades, folders=(), reading=PLAIN, where="mine.zip", **others):
        files = {
            PurePosixPath(path): (lambda shade=shade: png(np.full((2, 2), shade, np.uint8)))
            for path, shade in shades.items()
        }
        files |= {PurePosixPath(path): (lambda content=content: content) for path, content in others.items()}
        tree = Tree.of(where, [PurePosixPath(folder) for folder in folders], files)
        return load_tree(tree, "mine", 2, 1, reading)

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


def test_classes_come_in_the_order_of_image_folder_and_files_in_natural_order(load):
    shades = {f"{part}/class{k}/{n}.png": n for part in ("train", "test") for k in range(1, 12) for n in (10, 9)}
    data = load(shades)
    assert data.class_names[:3] == ("class1", "class10", "class11")
    assert data.train.images[:2, 0, 0, 0].tolist() == [9, 10]
    assert "--order natural" in data.notes[0]
    assert load(shades, reading=ClassReading(order="natural")).class_names[:3] == ("class1", "class2", "class3")
    names = tuple(f"class{k}" for k in range(11, 0, -1))
    ours = load(shades, reading=ClassReading(names))
    assert ours.class_names == names
    assert ours.notes == ()
    assert ours.train.labels[:2].tolist() == [10, 10]


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
    assert data.notes == ("files of mine left aside: 4, left behind by programs (such as .DS_Store)",)


@pytest.mark.parametrize(
    ("shades", "folders", "message"),
    [
        ({}, [], r"mine\.zip has no class folders"),
        ({"1.png": 0, "2.png": 0}, [], r"mine\.zip has no class folders"),
        ({"cat/1.png": 0, "cat/2.png": 0}, [], r"mine has only one class"),
        ({f"c{n}/1.png": 0 for n in range(1001)}, [], r"mine has 1,001 classes; expected 2 to 1,000"),
        ({"cat/1.png": 0, "cat/2.png": 0}, ["dog"], r"Class 'dog' is empty in the images of mine\.zip"),
        ({"cat/1.png": 0, "cat/2.png": 0, "dog/notes.txt": 0}, [], r"Class 'dog' is empty in the images of mine\.zip"),
        (SPLITS | {"test/eel/1.png": 0}, [], r"Class 'eel' is empty in the training images of mine\.zip/train"),
        ({"train/1.png": 0, "test/2.png": 0}, [], r"mine\.zip has no class folders; .* or a table \(\.csv\)"),
        ({"images/1.png": 0, "images/2.png": 0}, [], r"mine\.zip/?.* has no class folders"),
        ({"cat/1.png": 0, "dog/1.png": 0, "dog/2.png": 0}, [], "Class 'cat' of mine has one image; two are needed"),
        (SPLITS | {"train/eel/1.png": 0}, [], r"Class 'eel' is empty in the test images of mine\.zip/test"),
    ],
)
def test_what_cannot_be_used_is_refused(load, shades, folders, message):
    with pytest.raises(DataError, match=message):
        load(shades, folders)


def test_unreadable_images_are_named():
    files = {PurePosixPath(f"{kind}/{number}.jpg"): lambda: b"oops" for kind in "ab" for number in range(2)}
    with pytest.raises(DataError, match=r"4 images cannot be read: mine\.zip/a/0\.jpg, mine\.zip/a/1\.jpg"):
        load_tree(Tree.of("mine.zip", [], files), "mine", 2, 1)


def under(parts, classes=("cat", "dog")):
    """Return a picture of its own shade in each class folder of each part."""
    paths = [f"{part}/{kind}/1.png" for part in parts for kind in classes]
    return {path: 10 * number for number, path in enumerate(paths, 1)}


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("Train", "TEST"),
        ("training_set/training_set", "test_set/test_set"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train", "dev"),
        ("train", "validation_set"),
        ("train2017", "val2017"),
        ("images/train", "images/test"),
        ("My data (1)/Data/training", "My data (1)/Data/testing"),
        ("cifar_train", "cifar_test"),
        ("train/images", "test/images"),
    ],
)
def test_names_of_parts_are_never_classes(load, train, test):
    data = load(under((train, test)))
    assert data.class_names == ("cat", "dog")
    assert shades_of(data.train) == {10: 0, 20: 1}
    assert shades_of(data.test) == {30: 0, 40: 1}
    assert data.notes == ()


def test_folders_without_images_beside_the_images_are_looked_past(load):
    data = load(under(("images/train", "images/test")), ["annotations"], **{"annotations/x.xml": b"<a/>"})
    assert shades_of(data.test) == {30: 0, 40: 1}


@pytest.mark.parametrize(
    ("extra", "note"),
    [
        ({"test/1.png": 1, "test/2.png": 2}, "2 images in mine's folder test, without class folders, are left aside"),
        ({"test/test/1.png": 1}, "1 images in mine's folder test, without class folders, are left aside"),
        ({"seg_pred/seg_pred/1.png": 1}, "1 images in mine's folder seg_pred, without class folders, are left aside"),
        ({"test/unknown/1.png": 1}, "1 images in mine's folder test, which is another part, are left aside"),
        ({"extra/cat/1.png": 1}, "1 images in mine's folder extra, which is another part, are left aside"),
        ({"train/1.png": 1}, "1 images of mine.zip/train lie in no class folder and are left aside"),
    ],
)
def test_what_has_no_class_is_left_aside_with_a_note(load, extra, note):
    shades = {f"train/{kind}/{number}.png": 0 for kind in ("cat", "dog") for number in range(5)}
    data = load(shades | extra)
    assert data.class_names == ("cat", "dog")
    assert len(data.train) + len(data.test) == 10
    assert data.notes == (note,)


def test_validation_beside_test_is_noted(load):
    assert load(under(("train", "test", "valid"))).notes == (
        "2 images in mine's folder valid, which is another part, are left aside",
    )


def test_validation_serves_where_the_test_part_has_no_classes(load):
    assert shades_of(load(under(("train", "val")) | {"test/1.png": 0}).test) == {30: 0, 40: 1}


def test_parts_without_one_to_train_on_are_no_classes(load):
    shades = {f"test/{kind}/{number}.png": 0 for kind in ("cat", "dog") for number in range(5)}
    data = load(shades | {f"val/{kind}/1.png": 1 for kind in ("cat", "dog")})
    assert data.class_names == ("cat", "dog")


def test_pictures_beside_the_class_folders_are_counted(load):
    shades = {f"{kind}/{number}.png": 0 for kind in "ab" for number in range(5)} | {"cover.png": 0, "back.png": 0}
    assert load(shades).notes == ("2 images of mine.zip lie in no class folder and are left aside",)


def test_files_of_unknown_kinds_are_counted_and_named(load):
    files = {f"train/cat/{k}.heic": b"ftypheic" for k in range(3)} | {"train/cat/raw.CR2": b"x", "train/cat/a.txt": b""}
    assert set(load(SPLITS, **files).notes) == {
        "files of mine left aside: 3, no images known here (.heic)",
        "files of mine left aside: 1, no images known here (.cr2)",
    }


def test_content_decides_where_the_ending_says_nothing(load, png):
    picture = png(np.full((2, 2), 99, np.uint8))
    data = load(SPLITS, **{"train/cat/2": picture, "train/cat/3.dat": picture, "train/cat/4.jfif": picture})
    assert len(data.train) == 5
    assert data.notes == ()


MODEL = ClassReading(("bird", "cat", "dog", "train"))


@pytest.mark.parametrize(
    "paths",
    [("cat/1.png",), ("mine/cat/1.png",), ("train/cat/1.png",), ("cat/sub/1.png",), ("data/train/cat/a/1.png",)],
)
def test_images_of_one_class_alone(load, paths):
    data = load(dict.fromkeys(paths, 7), reading=MODEL)
    assert shades_of(data.train) == {7: 1}
    assert len(data.test) == 0
    assert data.num_classes == 4
    assert data.notes == ("mine has images of 1 of the model's 4 classes: cat",)


def test_a_held_out_share_of_one_class_can_be_asked_for(load):
    shades = {f"cat/{number}.png": number for number in range(10)}
    kept = load(shades, reading=ClassReading(MODEL.class_names, held_out=0.3))
    assert (len(kept.train), len(kept.test)) == (7, 3)
    beside = load(shades | {"dog/1.png": 99}, reading=ClassReading(MODEL.class_names, held_out=0.3))
    assert shades_of(beside.test.of_classes([1])) == shades_of(kept.test)


def test_the_images_of_a_class_are_the_same_alone_and_in_a_part_beside_others(load):
    whole = load(under(("train", "test"), ("bird", "cat", "dog", "train")), reading=MODEL)
    alone = load({path: shade for path, shade in under(("train", "test"), ("bird", "cat", "dog", "train")).items()
                  if path == "train/cat/1.png"}, reading=MODEL)  # fmt: skip
    assert shades_of(alone.train) == shades_of(whole.train.of_classes([1]))


def test_a_class_may_be_called_train_where_the_model_says_so(load):
    assert load({"train/1.png": 7}, reading=MODEL).train.labels.tolist() == [3]


def test_a_flat_folder_that_is_called_as_a_class(load):
    data = load({"1.png": 7, "2.png": 8}, reading=MODEL, where="/home/me/Cat")
    assert shades_of(data.train) == {7: 1, 8: 1}
    assert "all images of mine are taken for class Cat, as their folder is called" in data.notes
    with pytest.raises(DataError, match="/home/me/pics has no class folders"):
        load({"1.png": 7, "2.png": 8}, reading=MODEL, where="/home/me/pics")


def test_a_test_part_that_lacks_a_class_is_noted_where_there_is_a_model(load):
    shades = {path: shade for path, shade in SPLITS.items() if path != "test/dog/1.png"}
    with pytest.raises(DataError, match="Class 'dog' is empty in the test images"):
        load(shades)
    data = load(shades, reading=ClassReading(("cat", "dog")))
    assert data.notes == ("the test part of mine has no image of dog: that is not graded",)
    assert shades_of(data.test) == {20: 0}


def test_an_empty_class_folder_matters_only_without_a_model(load):
    data = load(SPLITS, ["train/bird"], reading=MODEL)
    assert data.train.labels.tolist() == [1, 2]


def test_a_whole_set_without_a_test_part_is_split_alike_with_and_without_a_model(load):
    shades = {f"{kind}/{number}.png": 10 * k + number for k, kind in enumerate("ab") for number in range(10)}
    with_model = load(shades, reading=ClassReading(("b", "a")))
    names = ("b", "a")
    plain = load(shades)
    assert {s: names[k] for s, k in shades_of(with_model.train).items()} != {}
    assert len(with_model.test) == len(plain.test) == 4


def test_photos_that_a_camera_says_to_turn_are_noted(load):
    import io

    from PIL import Image

    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.new("L", (2, 2)).save(buffer, "JPEG", exif=exif)
    assert (
        "1 photos of mine carry a camera's orientation"
        in load(SPLITS, **{"train/cat/2.jpg": buffer.getvalue()}).notes[0]
    )
