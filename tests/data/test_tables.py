from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
import pytest

from zspag_core.data.reading import PLAIN, ClassReading
from zspag_core.data.tree import Tree, load_tree
from zspag_core.errors import DataError


@pytest.fixture
def load(png):
    """Loads pictures of 2x2 pixels, each in the shade of its number, beside files of text."""

    def load_files(names, reading=PLAIN, **tables):
        files = {PurePosixPath(name): (lambda k=k: png(np.full((2, 2), k, np.uint8))) for k, name in enumerate(names)}
        encoded = {
            PurePosixPath(path): text if isinstance(text, bytes) else text.encode() for path, text in tables.items()
        }
        files |= {path: (lambda content=content: content) for path, content in encoded.items()}
        return load_tree(Tree.of("mine", [], files), "mine", 2, 1, reading)

    return load_files


NAMES = [f"train/{k}.png" for k in range(8)]
KINDS = ["cat", "dog"] * 4


def rows(cells, head="id,breed"):
    return "\n".join([*([head] if head else []), *(f"{a},{b}" for a, b in cells)])


def kinds_of(data):
    """Return the class of every picture, by its number."""
    found = {}
    for split in (data.train, data.test):
        shades = split.images[:, 0, 0, 0].tolist()
        found |= {k: data.class_names[label] for k, label in zip(shades, split.labels.tolist(), strict=True)}
    return [found.get(k) for k in range(max(found) + 1)]


@pytest.mark.parametrize(
    "table",
    [
        rows(zip(range(8), KINDS, strict=True)),
        rows(zip(NAMES, KINDS, strict=True), "path,label"),
        rows([(f"{k}.png", kind) for k, kind in enumerate(KINDS)], "file,class"),
        rows([(f"data\\train\\{k}.png", kind) for k, kind in enumerate(KINDS)], "image,species"),
        rows(zip(range(8), KINDS, strict=True), None),
        rows(zip(range(8), KINDS, strict=True)).replace(",", ";"),
        rows(zip(range(8), KINDS, strict=True)).replace(",", "\t"),
        b"\xef\xbb\xbf" + rows(zip(range(8), KINDS, strict=True)).encode(),
        rows(zip(KINDS, range(8), strict=True), "label,id"),
        rows([(k, f"{kind},{k % 3}") for k, kind in enumerate(KINDS)], "id,category,age"),
        rows([(k, "1,0" if kind == "cat" else "0,1") for k, kind in enumerate(KINDS)], "image,cat,dog"),
        rows([(k, f"{k % 2},{kind}") for k, kind in enumerate(KINDS)], "id,label,class_name"),
    ],
)
def test_a_table_labels_a_flat_folder(load, table):
    data = load(NAMES, **{"labels.csv": table})
    assert data.class_names == ("cat", "dog")
    assert kinds_of(data) == KINDS
    assert data.notes == ("the classes of mine are taken from mine/labels.csv",)


def test_names_in_a_table_are_found_among_the_models(load):
    data = load(NAMES[:3], ClassReading(("bird", "dog", "cat")), **{"labels.csv": "id,label\n0,cat\n1,cat\n2,cat"})
    assert data.train.labels.tolist() == [2, 2, 2]
    assert len(data.test) == 0


@pytest.mark.parametrize("write", [str, float])
def test_numbers_in_a_table_are_the_models_outputs(load, write):
    table = rows([(k, write(k % 2 + 1)) for k in range(8)], "id,label")
    data = load(NAMES, ClassReading(("bird", "dog", "cat")), **{"labels.csv": table})
    assert data.train.labels.tolist() == [k % 2 + 1 for k in range(8)]


def test_a_number_of_thousands_of_digits_is_a_name(load):
    long = "9" * 5000
    data = load(NAMES, **{"labels.csv": rows([(k, long if k % 2 else "1") for k in range(8)])})
    assert data.class_names == ("1", long)


def test_one_table_for_each_part(load):
    names = [f"images/{k}.png" for k in range(8)]
    train, test = (rows([(f"{k}.png", KINDS[k]) for k in some], "path,label") for some in (range(4), range(4, 8)))
    data = load(names, **{"train.csv": train, "val.csv": test})
    assert (len(data.train), len(data.test)) == (4, 4)
    assert kinds_of(data) == KINDS


def test_a_column_of_parts(load):
    parts = ["train"] * 4 + ["test"] * 2 + ["val"] * 2
    table = rows(
        [(k, f"{kind},{part}") for k, (kind, part) in enumerate(zip(KINDS, parts, strict=True))], "id,label,split"
    )
    data = load(NAMES, **{"all.csv": table})
    assert (len(data.train), len(data.test)) == (4, 2)
    assert kinds_of(data) == KINDS[:6]


def test_folders_of_parts_and_one_table(load):
    names = [f"{'train' if k < 4 else 'test'}/{k}.png" for k in range(8)]
    data = load(names, **{"labels.csv": rows(zip(names, KINDS, strict=True))})
    assert (len(data.train), len(data.test)) == (4, 4)


def test_images_of_the_same_name_in_two_parts_are_those_of_the_tables_part(load):
    names = [f"train/{k}.png" for k in range(4)] + [f"test/{k}.png" for k in range(4)]
    tables = {"train.csv": rows(zip(range(4), KINDS, strict=False)), "sample_submission.csv": rows([(0, "cat")])}
    data = load(names, **tables)
    assert kinds_of(data) == KINDS[:4]
    assert "4 images of mine that mine/train.csv gives no class are left aside" in data.notes


def test_rows_and_images_without_a_partner_are_counted(load):
    table = rows([(k, kind) for k, kind in enumerate([*KINDS[:5], "-1", ""])] + [(99, "cat"), (98, "dog")])
    data = load(NAMES, **{"labels.csv": table})
    assert len(data.train) + len(data.test) == 5
    assert data.notes[1:] == (
        "2 rows of mine/labels.csv name no image that is there",
        "3 images of mine that mine/labels.csv gives no class are left aside",
    )


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({}, r"mine has no class folders; expected a folder of images for each class or a table \(\.csv\)"),
        ({"labels.csv": ""}, "mine has no class folders"),
        ({"labels.csv": "id\n0\n1"}, "mine has no class folders"),
        ({"labels.csv": rows([("x", "cat"), ("y", "dog")])}, "mine has no class folders"),
        ({"labels.csv": "\0" * 9}, "mine has no class folders"),
        ({"labels.csv": rows([(k, f"{k},{k + 1}") for k in range(8)], "id,age,kg")}, "which of its columns age, kg is"),
        ({"labels.csv": rows([(0, "a"), (0, "b"), (1, "b")])}, r"gives train/0\.png the class 'b' and also 'a'"),
        ({"labels.csv": rows([(k, "cat") for k in range(8)])}, "mine has only one class"),
        ({"sample_submission.csv": rows([(k, "cat") for k in range(8)])}, "mine has no class folders"),
    ],
)  # fmt: skip
def test_what_says_no_classes_is_refused(load, tables, message):
    with pytest.raises(DataError, match=message):
        load(NAMES, **tables)


def test_class_folders_come_before_tables(load):
    names = [f"{kind}/{k}.png" for k, kind in enumerate(KINDS)]
    data = load(names, **{"labels.csv": rows([(k, "eel") for k in range(8)])})
    assert data.class_names == ("cat", "dog")
