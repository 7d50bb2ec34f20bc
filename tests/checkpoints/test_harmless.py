from __future__ import annotations

import argparse
import collections
import datetime
import pathlib
import types

import numpy as np
import pytest
import torch

from zspag_core.checkpoints.archives import read_pickled
from zspag_core.checkpoints.harmless import HARMLESS, NumpyArray, NumpyType, TooMuch, plain, small_copy
from zspag_core.errors import CheckpointError


def _read(payload, tmp_path):
    torch.save(payload, tmp_path / "m.ckpt")
    return read_pickled(tmp_path / "m.ckpt", 1)


@pytest.mark.parametrize(
    "value",
    [
        argparse.Namespace(lr=0.1, out=pathlib.Path("runs")),
        types.SimpleNamespace(a=[1, 2]),
        np.float64(71.25),
        np.int32(-3),
        np.bool_(True),
        np.str_("adam"),
        np.dtype("int16"),
        pathlib.Path("runs/1"),
        pathlib.PureWindowsPath("C:/runs"),
        datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
        datetime.date(2026, 1, 2),
        frozenset({1, 2}),
        torch.__version__,
        torch.Size([3, 4]),
    ],
)
def test_harmless_values_are_read_and_written_back_as_they_were(value, tmp_path):
    read = _read({"value": value}, tmp_path)
    again = _read(read, tmp_path)
    torch.save(again, tmp_path / "again.pt")
    back = torch.load(tmp_path / "again.pt", weights_only=False)["value"]
    assert (back, type(back)) == (value, type(value))


ARRAYS = {
    "numbers": np.arange(6.0).reshape(2, 3),
    "by column": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "other byte order": np.arange(3, dtype=">f4"),
    "texts": np.array(["a", "bc"]),
    "one": np.array(3),
    "none": np.zeros((0, 2)),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_numpy_arrays_are_read_and_written_back(array, tmp_path):
    read = _read({"value": array}, tmp_path)["value"]
    assert (read.value.dtype, plain(read)) == (array.dtype, array.tolist())
    torch.save(read, tmp_path / "again.pt")
    back = torch.load(tmp_path / "again.pt", weights_only=False)
    assert type(back) is np.ndarray
    assert (back.dtype.kind, back.dtype.itemsize) == (array.dtype.kind, array.dtype.itemsize)
    assert (back.shape, back.tolist()) == (array.shape, array.tolist())


def test_a_defaultdict_becomes_a_dictionary(tmp_path):
    value = collections.defaultdict(list, {"loss": [1.0, 2.0]})
    assert _read({"value": value}, tmp_path)["value"] == {"loss": [1.0, 2.0]}


def test_numpy_generators_are_read(tmp_path):
    state = _read({"rng": np.random.RandomState(0).get_state()}, tmp_path)["rng"]
    assert state[0] == "MT19937"
    assert plain(state[1]) == np.random.RandomState(0).get_state()[1].tolist()


SCALAR, RECONSTRUCT = np._core.multiarray.scalar, np._core.multiarray._reconstruct


class _Calls:
    """Pickled as a call of a function with given arguments."""

    def __init__(self, function, *arguments, state=None):
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.parts


@pytest.mark.parametrize(
    "value",
    [
        np.array([{}, []], dtype=object),
        np.zeros(2, dtype=[("a", "i4")]),
        _Calls(SCALAR, np.dtype(object), b"cos\nsystem\n"),
        _Calls(SCALAR, np.dtype("f8"), b"short"),
        _Calls(SCALAR, "f8", b"12345678"),
        _Calls(
            np._core.multiarray._reconstruct, np.ndarray, (0,), b"b", state=(1, (10**9,), np.dtype("f8"), False, b"")
        ),
        _Calls(np._core.multiarray._reconstruct, np.ndarray, (0,), b"b", state=(1, (2,), np.dtype("f8"))),
        _Calls(np.dtype, "O8"),
        _Calls(np.dtype, "f8", state=(3, "<", None, ("a",), {}, -1, -1, 0)),
        _Calls(pathlib.PurePosixPath, 3),
        _Calls(datetime.date, b"far too long"),
    ],
)
def test_values_that_lie_or_hold_objects_are_refused(value, tmp_path):
    with pytest.raises(CheckpointError, match=r"not a readable PyTorch file|would run code"):
        _read({"w": torch.ones(2), "value": value}, tmp_path)


def test_the_list_does_not_stay_open_after_reading(tmp_path):
    before = set(torch.serialization.get_safe_globals())
    _read({"args": argparse.Namespace()}, tmp_path)
    assert set(torch.serialization.get_safe_globals()) == before
    with pytest.raises(CheckpointError, match=r"would run code \(print\)"):
        _read({"args": argparse.Namespace(call=print)}, tmp_path)
    assert set(torch.serialization.get_safe_globals()) == before


def test_nothing_listed_can_run_code():
    names = {name for _, name in HARMLESS}
    assert not any(name.startswith(("os.", "subprocess", "builtins.eval", "builtins.getattr")) for name in names)
    assert (NumpyType, "numpy.dtype") in HARMLESS
    assert len(names) == len(HARMLESS)


def test_small_copies_share_nothing():
    tensor, inner = torch.ones(3), [1]
    value = {"a": tensor, "b": inner, "c": argparse.Namespace(x=inner), "d": (1, {2})}
    copy = small_copy(value)
    tensor.zero_()
    inner.append(2)
    assert copy["a"].tolist() == [1, 1, 1]
    assert (copy["b"], copy["c"], copy["d"]) == ([1], argparse.Namespace(x=[1]), (1, {2}))


def _nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def _laughs():
    value = [1]
    for _ in range(20):
        value = [value] * 10
    return value


def _array():
    array = NumpyArray()
    array.value = np.zeros(17)
    return array


ENDLESS = {
    "tensor": {"w": torch.ones(17)},
    "array": [{"m": {0: _array()}}],
    "deep": _nested(100),
    "repeated": _laughs(),
    "namespace": argparse.Namespace(w=torch.ones(17)),
}


@pytest.mark.slow
@pytest.mark.parametrize("value", ENDLESS.values(), ids=ENDLESS)
def test_weights_and_endless_values_are_not_copied(value):
    with pytest.raises(TooMuch):
        small_copy(value)
