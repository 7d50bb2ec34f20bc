from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import torch

from zspag_core.data.pickles import holds_cifar, load_cifar
from zspag_core.data.reading import ClassReading
from zspag_core.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 3, 32, 32), dtype=np.uint8)
LABELS = [k % 4 for k in range(20)]
NAMES = ["ant", "bee", "cat", "dog"]


def put(path, content, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol))


@pytest.fixture(params=[(key, protocol) for key in (str, str.encode) for protocol in (2, 4, 5)])
def ten(request, tmp_path):
    key, protocol = request.param
    for name, some in (
        *((f"data_batch_{k}", slice(3 * k, 3 * k + 3)) for k in range(1, 5)),
        ("test_batch", slice(0, 4)),
    ):
        put(tmp_path / name, {key("data"): PIXELS[some].reshape(-1, 3072), key("labels"): LABELS[some]}, protocol)
    put(tmp_path / "batches.meta", {key("label_names"): [key(name) for name in NAMES]}, protocol)
    return tmp_path


def test_cifar_10_as_it_is_downloaded(ten):
    assert holds_cifar(ten)
    data = load_cifar(ten, "mine", 32, 3)
    assert torch.equal(data.train.images, torch.from_numpy(PIXELS[3:15]))
    assert data.train.labels.tolist() == LABELS[3:15]
    assert torch.equal(data.test.images, torch.from_numpy(PIXELS[:4]))
    assert data.class_names == tuple(NAMES)


def test_names_are_found_among_the_models(ten):
    assert load_cifar(ten, "mine", 32, 3, ClassReading(("dog", "cat", "bee", "ant"))).test.labels.tolist() == [
        3,
        2,
        1,
        0,
    ]


def test_cifar_100_as_it_is_downloaded(tmp_path):
    assert not holds_cifar(tmp_path)
    for name in ("train", "test"):
        coarse = {b"data": PIXELS.reshape(-1, 3072), b"coarse_labels": [0] * 20, b"fine_labels": LABELS}
        put(tmp_path / name, coarse)
    put(tmp_path / "meta", {b"fine_label_names": NAMES})
    assert holds_cifar(tmp_path)
    assert load_cifar(tmp_path, "mine", 32, 3).class_names == tuple(NAMES)


def test_folders_of_other_things_are_not_cifar(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    assert not holds_cifar(tmp_path)
    assert not holds_cifar(tmp_path / "gone")


class _Bomb:
    def __reduce__(self):
        return pytest.fail, ("a pickle was run",)


class _System:
    def __reduce__(self):
        return os.system, ("echo a pickle was run",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps({b"data": _Bomb()}), r"train would run code when read \(_pytest\.outcomes\._Fail\)"),
        (pickle.dumps({b"data": _System()}), r"train would run code when read \((posix|nt)\.system\)"),
        (pickle.dumps({b"data": np.array([{}], object), b"labels": [0]}), "train has no data of CIFAR's shape"),
        (pickle.dumps({b"data": np.zeros((2, 3071), np.uint8), b"labels": [0, 1]}), "has no data of CIFAR's shape"),
        (pickle.dumps({b"data": np.zeros((2, 3072), np.float32), b"labels": [0, 1]}), "has no data of CIFAR's shape"),
        (pickle.dumps({b"data": [1, 2], b"labels": [0, 1]}), "has no data of CIFAR's shape"),
        (pickle.dumps({b"data": np.zeros((2, 3072), np.uint8)}), "train has no list of labels"),
        (pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": ["a", "b"]}), "train has no list of labels"),
        (pickle.dumps([1, 2]), "train holds a list; expected CIFAR's own pickles"),
        (b"", "train is not a pickle of CIFAR's that can be read"),
        (b"no pickle at all", "train is not a pickle of CIFAR's that can be read"),
        (pickle.dumps({b"data": b"x" * 100})[:50], "train is not a pickle of CIFAR's that can be read"),
    ],
)
def test_what_is_not_cifars_is_refused_and_not_run(tmp_path, content, message):
    put(tmp_path / "test", {b"data": PIXELS.reshape(-1, 3072), b"fine_labels": LABELS})
    (tmp_path / "train").write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_cifar(tmp_path, "mine", 32, 3)


def test_shapes_that_lie_are_refused(tmp_path):
    content = pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 1]}, 2)
    assert content.count(b"M\x00\x0c") == 1
    put(tmp_path / "test", {b"data": PIXELS.reshape(-1, 3072), b"fine_labels": LABELS})
    (tmp_path / "train").write_bytes(content.replace(b"M\x00\x0c", b"M\x01\x0c"))
    with pytest.raises(DataError, match="has no data of CIFAR's shape"):
        load_cifar(tmp_path, "mine", 32, 3)
