from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from zspag_core.data import parquet as ours
from zspag_core.data.parquet import load_parquet
from zspag_core.data.reading import ClassReading
from zspag_core.errors import DataError


@pytest.fixture
def write(tmp_path, digit_images, png):
    """Writes a file of digits 0 to 3 in Hugging Face's form; columns can be replaced."""
    images, labels = digit_images
    keep = labels < 4

    def write_file(name, rows=slice(0, 100), *, image_column="img", label_column="label", names=True, **columns):
        pictures = [{"bytes": png(pixels), "path": None} for pixels in images[keep][rows]]
        content = {image_column: pictures, label_column: labels[keep][rows]} | columns
        features = {label_column: {"_type": "ClassLabel", "names": ["zero", "one", "two", "three"]}}
        metadata = {"huggingface": json.dumps({"info": {"features": features}})} if names else None
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.table(content).replace_schema_metadata(metadata), path)
        return path

    return write_file


@pytest.fixture
def expected(digit_images):
    images, labels = digit_images
    return images[labels < 4], labels[labels < 4]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train.parquet", "test.parquet"),
        ("data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"),
        ("plain_text/train/0000.parquet", "plain_text/test/0000.parquet"),
        ("train.parquet", "validation.parquet"),
        ("Training_0.parquet", "dev_0.parquet"),
    ],
)
def test_folder_of_splits(write, expected, tmp_path, train, test):
    write(train, slice(0, 200))
    write(test, slice(200, 300))
    data = load_parquet(tmp_path, "mine", 8, 1)
    assert np.array_equal(data.train.images[:, 0], expected[0][:200])
    assert np.array_equal(data.test.images[:, 0], expected[0][200:300])
    assert np.array_equal(data.test.labels, expected[1][200:300])
    assert data.class_names == ("zero", "one", "two", "three")


def test_a_folder_of_several_sets_is_refused(write, tmp_path):
    for name in ("one", "two"):
        write(f"{name}/train.parquet", slice(0, 200))
        write(f"{name}/test.parquet", slice(200, 300))
    with pytest.raises(DataError, match=r"holds several data sets \(one, two\); expected the folder of one of them"):
        load_parquet(tmp_path, "mine", 8, 1)
    assert len(load_parquet(tmp_path / "two", "two", 8, 1).test) == 100


def test_shards_are_read_in_order_and_validation_is_left_out(write, expected, tmp_path):
    write("train-00001-of-00002.parquet", slice(100, 200))
    write("train-00000-of-00002.parquet", slice(0, 100))
    write("test.parquet", slice(200, 300))
    write("validation.parquet", slice(300, 400))
    data = load_parquet(tmp_path, "mine", 8, 1)
    assert np.array_equal(data.train.images[:, 0], expected[0][:200])
    assert len(data.test) == 100
    assert data.notes == ("files of mine left aside: 1 (validation.parquet, …)",)


def test_rows_beyond_one_batch(write, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(ours, "_ROWS", 7)
    write("train.parquet", slice(0, 100))
    write("test.parquet", slice(100, 200))
    data = load_parquet(tmp_path, "mine", 8, 1)
    assert np.array_equal(data.train.images[:, 0], expected[0][:100])


def test_a_single_file_is_split(write, expected):
    data = load_parquet(write("train.parquet", slice(0, 200)), "mine", 8, 1)
    together = torch.cat([data.train.images, data.test.images])[:, 0].flatten(1).tolist()
    assert sorted(together) == sorted(expected[0][:200].reshape(200, -1).tolist())
    assert 36 <= len(data.test) <= 44


def test_other_column_names_without_class_names(write):
    data = load_parquet(write("a.parquet", image_column="image", label_column="fine_label", names=False), "mine", 8, 3)
    assert data.class_names == ("0", "1", "2", "3")


def test_plain_binary_images(write, expected, png):
    column = pa.array([png(pixels) for pixels in expected[0][:100]])
    assert load_parquet(write("a.parquet", img=column), "mine", 8, 1).num_classes == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"img": [b"no image"] * 100}, r"^100 images cannot be read: The image in row 0 of .*a\.parquet"),
        (
            {"img": [{"bytes": b"x", "path": ""}, {"bytes": None, "path": "b"}] * 50},
            r"Row 1 of .*a\.parquet has no image bytes, only the path 'b'; expected a file that holds the images",
        ),
        ({"img": list(range(100))}, r"The image column of .*a\.parquet is int64; expected encoded images"),
        ({"label": [0.5] * 100}, r"The label column of .*a\.parquet is double in row 0; expected integers or names"),
        ({"label": [[0, 1]] * 100}, r"The label column of .*a\.parquet is list.* \(several classes for an image\)"),
        ({"label": [None] * 100}, r"The images of mine have no labels; expected the class of each"),
        (
            {"label": pa.Array.from_buffers(pa.string(), 100, pa.array([b"\xff"] * 100).buffers())},
            r"The label column of .*a\.parquet holds names that are no UTF-8 text, from row 0",
        ),
        (
            {"label": pa.array([0, 2**64 - 1] * 50, pa.uint64())},
            r"a\.parquet has values up to 1\.8.*e\+19; expected class",
        ),
        ({"label": [0.0, 1e300] * 50}, r"a\.parquet has values up to 1e\+300; expected class numbers"),
        ({"label": pa.array([b"a"] * 100)}, r"The label column of .*a\.parquet is binary in row 0"),
        ({"label": [0, 1] * 49 + [2, 4]}, r"label of the images of mine is 4; expected 0 to 3"),
        ({"label": [0, 1] * 50}, "Class 'two' is empty in the images of mine"),
        ({"img": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}, r"a\.parquet has no rows"),
    ],
)
def test_wrong_columns_are_refused(write, columns, message):
    with pytest.raises(DataError, match=message):
        load_parquet(write("a.parquet", **columns), "mine", 8, 1)


def test_one_class_only(write):
    path = write("a.parquet", names=False, label=[0] * 100)
    with pytest.raises(DataError, match="mine has only one class"):
        load_parquet(path, "mine", 8, 1)


def test_missing_columns_are_named(write):
    with pytest.raises(DataError, match=r"a\.parquet has no column img or image; found: picture, label, mask"):
        load_parquet(write("a.parquet", image_column="picture", mask=[b"x"] * 100), "mine", 8, 1)
    with pytest.raises(DataError, match=r"a\.parquet has no column label or fine_label .*; found: img, kind, year"):
        load_parquet(write("a.parquet", label_column="kind", names=False, year=[1] * 100), "mine", 8, 1)


def test_columns_of_other_names_are_found_by_what_they_hold(write):
    for options in ({}, {"names": False}, {"year": [1] * 100}):
        data = load_parquet(write("a.parquet", image_column="picture", label_column="kind", **options), "mine", 8, 1)
        assert data.num_classes == 4


def test_labels_may_be_names(write, expected):
    names = np.array(["zero", "one", "two", "three"])[expected[1][:100]]
    for column in (pa.array(names), pa.array(names).dictionary_encode(), pa.array(names, pa.large_string())):
        data = load_parquet(write("a.parquet", label=column, names=False), "mine", 8, 1)
        assert data.class_names == ("one", "three", "two", "zero")
        first = (data.train.images[:, 0] == torch.from_numpy(expected[0][0])).flatten(1).all(1)
        assert not bool(first.any()) or data.class_names[data.train.labels[first][0]] == names[0]


def test_whole_floats_are_labels(write, expected):
    data = load_parquet(write("a.parquet", label=expected[1][:100].astype(float)), "mine", 8, 1)
    assert sorted([*data.train.labels.tolist(), *data.test.labels.tolist()]) == sorted(expected[1][:100].tolist())


def test_an_unlabelled_test_part_is_left_aside_and_not_decoded(write, tmp_path):
    write("train.parquet", slice(0, 100))
    write("test.parquet", slice(100, 120), label=[-1] * 20, img=[b"no image"] * 20)
    data = load_parquet(tmp_path, "mine", 8, 1)
    assert len(data.train) + len(data.test) == 100
    assert data.notes == ("20 of the test images of mine have no label and are left aside",)


def test_rows_without_a_label_are_left_aside(write, expected):
    labels = [None if row < 7 else int(label) for row, label in enumerate(expected[1][:100])]
    data = load_parquet(
        write("a.parquet", label=labels), "mine", 8, 1, ClassReading(("zero", "one", "two", "three"), held_out=0)
    )
    assert np.array_equal(data.train.images[:, 0], expected[0][7:100])
    assert "7 of the images of mine have no label and are left aside" in data.notes


def test_some_classes_alone_are_found_by_name(write, expected):
    ones = np.flatnonzero(expected[1] == 1)[:20]
    path = write("a.parquet", ones)
    data = load_parquet(path, "mine", 8, 1, ClassReading(("three", "two", "nine", "one", "zero")))
    assert data.train.labels.tolist() == [3] * 20
    assert len(data.test) == 0


def test_names_in_one_part_and_numbers_in_another_are_refused(write, tmp_path):
    write("train.parquet", slice(0, 100))
    write("test.parquet", slice(100, 120), label=["one"] * 20)
    with pytest.raises(DataError, match="has names for labels where another part has numbers"):
        load_parquet(tmp_path, "mine", 8, 1)


def test_twelve_bits_are_scaled_by_the_range_of_all_parts(write, tmp_path, expected, png):
    def wide(rows, factor):
        return [png(pixels.astype(np.uint16) * factor) for pixels in expected[0][rows]]

    write("train.parquet", slice(0, 100), img=wide(slice(0, 100), 16))
    write("test.parquet", slice(100, 200), img=wide(slice(100, 200), 1))
    data = load_parquet(tmp_path, "mine", 8, 1)
    assert np.abs(data.train.images[:, 0].numpy().astype(int) - expected[0][:100]).max() <= 1
    assert int(data.test.images.max()) == 16
    assert "200 images of mine have more than 8 bits a pixel, values 0 to 4080 in all" in data.notes[0]


@pytest.mark.parametrize("text", ["{", "[" * 100_000])
def test_metadata_that_is_no_json_is_ignored(write, text):
    path = write("a.parquet")
    table = parquet.read_table(path).replace_schema_metadata({"huggingface": text})
    parquet.write_table(table, path)
    assert load_parquet(path, "mine", 8, 1).class_names == ("0", "1", "2", "3")


def test_not_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 but no more PAR1")
    with pytest.raises(DataError, match=r"a\.parquet is not a parquet file that can be read"):
        load_parquet(path, "mine", 8, 1)


def test_damaged_pages(write):
    path = write("a.parquet")
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet is (damaged|not an image)"):
        load_parquet(path, "mine", 8, 1)


@pytest.mark.slow
def test_cifar10(shared_data):
    from PIL import Image

    path = shared_data / "cifar10" / "test.parquet"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    data = load_parquet(path, "cifar10", 32, 3)
    assert data.class_names[3] == "cat"
    assert data.test.labels.bincount().tolist() == [200] * 10
    first = parquet.read_table(path).slice(0, 1).to_pylist()[0]
    pixels = np.asarray(Image.open(pa.BufferReader(first["img"]["bytes"])))
    both = torch.cat([data.train.images, data.test.images])
    assert (both.permute(0, 2, 3, 1) == torch.tensor(pixels)).flatten(1).all(1).any()
