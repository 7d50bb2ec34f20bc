from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from zspag_core.errors import DataError
from zspag_core.metrics.depth.references import References, load_references, save_references

ABOUT = {
    "data": "digits",
    "images": {"train": {"count": 4, "fingerprint": 1}, "test": {"count": 2, "fingerprint": 2}},
    "class_names": ["a", "b", "c"],
    "model": "resnet_tiny",
    "image_size": 16,
    "recipe": {"epochs": 30},
}
R, N, CLASSES = 4, 6, 3


def references(**changed):
    """Return four models' answers to six images; the first two were trained on all of them, the others on none."""
    logits = torch.randn(R, N, CLASSES, generator=torch.Generator().manual_seed(0)).half()
    included = (torch.arange(R) < 2)[:, None].expand(R, N).clone()
    return References(**{"logits": logits, "included": included, "about": ABOUT} | changed)


def test_what_is_written_is_read(tmp_path):
    path, made = tmp_path / "new" / "r.npz", references()
    save_references(path, made)
    found = load_references(path)
    assert torch.equal(found.logits, made.logits)
    assert found.logits.dtype == torch.float16
    assert torch.equal(found.included, made.included)
    assert found.about == ABOUT
    assert [one.name for one in path.parent.iterdir()] == ["r.npz"]
    assert found.summary() == {"count": 4, "data": "digits", "model": "resnet_tiny", "image_size": 16, "epochs": 30}


def test_equal_references_are_equal_bytes(tmp_path):
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    save_references(one, references())
    save_references(two, references())
    assert one.read_bytes() == two.read_bytes()


def test_some_images_are_taken_by_their_places():
    made = references()
    some = made.of(torch.tensor([4, 1]))
    assert torch.equal(some.logits[:, 0], made.logits[:, 4])
    assert some.included.shape == (R, 2)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"logits": torch.zeros(R, N)}, r"expected shapes \(R, N, classes\) and \(R, N\)"),
        ({"included": torch.zeros(R, N + 1, dtype=torch.bool)}, "expected shapes"),
        ({"included": torch.zeros(R, N)}, "expected floats and truth values"),
        ({"logits": torch.zeros(R, N, CLASSES, dtype=torch.int64)}, "expected floats and truth values"),
        ({"logits": torch.full((R, N, CLASSES), torch.nan)}, "expected finite numbers"),
        ({"logits": torch.full((R, N, CLASSES), -torch.inf)}, "expected finite numbers"),
        ({"included": torch.ones(R, N, dtype=torch.bool)}, "two or more"),
        ({"included": (torch.arange(R) < 1)[:, None].expand(R, N)}, "two or more"),
    ],
)
def test_what_cannot_be_references_is_refused(changed, words):
    with pytest.raises(ValueError, match=words):
        references(**changed)


def write(path, **changed):
    """Write a file by hand, some of its arrays replaced; those that are None are left out."""
    made = references()
    arrays = {"logits": made.logits.numpy(), "included": made.included.numpy(), "about": np.array(json.dumps(ABOUT))}
    np.savez(path, **{name: value for name, value in (arrays | changed).items() if value is not None})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"logits": None}, "has no logits; expected a file as train --references writes it"),
        ({"included": None, "about": None}, "has no included, about"),
        ({"about": np.array({"data": "digits"}, dtype=object)}, "holds Python objects"),
        ({"logits": np.array([object()])}, "holds Python objects"),
        ({"about": np.array("{")}, "does not say data, images"),
        ({"about": np.array(["{}"])}, "does not say"),
        ({"about": np.array(json.dumps([1]))}, "does not say"),
        ({"about": np.array(json.dumps(ABOUT | {"recipe": "short"}))}, "does not say"),
        ({"logits": np.full((R, N, CLASSES), np.nan, np.float16)}, "expected finite numbers, got NaN"),
        ({"included": np.zeros((R, N), np.int8)}, "truth values"),
        ({"included": np.array("words")}, "expected np.ndarray|can't convert"),
    ],
)
def test_other_files_are_refused_in_a_sentence(changed, words, tmp_path):
    path = tmp_path / "r.npz"
    write(path, **changed)
    with pytest.raises(DataError, match=words):
        load_references(path)


def test_what_is_no_archive_or_cut_off_is_refused(tmp_path):
    with pytest.raises(DataError, match="references: there is no file"):
        load_references(tmp_path / "none.npz")
    path = tmp_path / "r.npz"
    path.write_bytes(b"not a zip")
    with pytest.raises(DataError, match="not a zip archive"):
        load_references(path)
    write(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with pytest.raises(DataError, match="damaged"):
        load_references(path)
