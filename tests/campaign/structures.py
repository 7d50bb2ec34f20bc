"""Ways to change what a file holds rather than its bytes: it stays whole, and says what nobody expects."""

from __future__ import annotations

import argparse
import io
import types
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

LONG = "9" * 5_000
"""More digits than Python reads as a number."""
HALF = "\ud83d"
"""Half of a character, as JSON and file systems may hold."""
CELLS = ("", LONG, "-1", "nan", "1e400", "3.0", '"', "\0", "\u0663", "a,b", "\r", "cat\n", "x" * 5_000, "\x85")
LABELS = (
    lambda rows: np.arange(rows) % 3 + 2_000_000_000,
    lambda rows: np.full(rows, 2**64 - 1, np.uint64),
    lambda rows: np.arange(rows) / 2,
    lambda rows: np.where(np.arange(rows) % 2, np.nan, 1),
    lambda rows: np.array([LONG, HALF, "eel"])[np.arange(rows) % 3],
    lambda rows: np.array([b"\xff", b"b", b"c"])[np.arange(rows) % 3],
    np.eye,
    lambda rows: np.arange(rows).astype("datetime64[s]"),
    lambda rows: np.zeros((rows, 0)),
    lambda rows: np.zeros(rows, bool),
    lambda rows: -np.arange(rows),
)
KINDS = ("float16", "float64", "uint16", "int8", ">u4", "bool", "complex64", "timedelta64[s]", "U3", "S2", "longdouble")


def change_arrays(content: bytes, rng: random.Random) -> bytes:
    """Return an .npz file of which one array has other labels, another dtype, another shape, or values without end."""
    with np.load(io.BytesIO(content)) as file:
        arrays = {name: file[name] for name in file.files}
    name = rng.choice(sorted(arrays))
    ways = (_other_kind, _other_shape, _other_values, lambda array, rng: rng.choice(LABELS)(len(array)))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        arrays[rng.choice((name, name, "class_names"))] = rng.choice(ways)(arrays[name], rng)
        out = io.BytesIO()
        np.savez(out, **arrays)
    return out.getvalue()


def _other_kind(array: np.ndarray, rng: random.Random) -> np.ndarray:
    return array.astype(rng.choice(KINDS))


def _other_shape(array: np.ndarray, rng: random.Random) -> np.ndarray:
    shapes = (array[:0], array[:1], array[None], array.ravel(), array[..., None], array.T, np.asfortranarray(array))
    return rng.choice(shapes)


def _other_values(array: np.ndarray, rng: random.Random) -> np.ndarray:
    return array.astype(float) * rng.choice((np.nan, np.inf, -1.0, 1e300, 1 / 255, 257.0))


def change_table(content: bytes, rng: random.Random) -> bytes:
    """Return a text of lines in which some cells, lines or separators are others."""
    lines = content.decode("utf-8", "replace").split("\n")
    for _ in range(rng.choice((1, 3, 20))):
        at = rng.randrange(len(lines))
        cells = lines[at].split(",")
        cells[rng.randrange(len(cells))] = rng.choice(CELLS)
        lines[at] = ",".join(cells)
    text = rng.choice(("\n", "\n", "\r\n", "\r", "\n\n")).join(lines)
    text = text.replace(",", rng.choice((",", ",", ";", "\t", "|", ",,")))
    return text.encode(rng.choice(("utf-8", "utf-8", "utf-16", "latin-1")), "replace")


def change_rows(content: bytes, rng: random.Random) -> bytes:
    """Return a parquet file with other labels, other images or other words about them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    rows, name = table.num_rows, rng.choice(table.column_names)
    columns: tuple[Callable[[], Any], ...] = (
        lambda: pa.array([2**64 - 1 - k for k in range(rows)], pa.uint64()),
        lambda: pa.array([k * 1e300 for k in range(rows)]),
        lambda: pa.array([[k] for k in range(rows)]),
        lambda: pa.array([None] * rows),
        pa.array([LONG, "b", "c"] * rows)[:rows].dictionary_encode,
        lambda: pa.Array.from_buffers(pa.string(), rows, pa.array([b"\xff"] * rows).buffers()),
        lambda: pa.array([{"bytes": b"", "path": "x"}] * rows),
        lambda: pa.array([b"GIF89a"] * rows),
        lambda: pa.array([{"a": {"b": k}} for k in range(rows)]),
        lambda: pa.array(range(rows)).cast(pa.decimal128(20, 0)),
    )
    metadata = table.schema.metadata
    if rng.random() < 0.8:
        table = table.set_column(table.column_names.index(name), name, rng.choice(columns)())
    if rng.random() < 0.4:
        words = ("[" * 100_000, "{", "3", '{"info": {"features": {"label": {"_type": "ClassLabel", "names": %s}}}}')
        names = rng.choice(('["\\ud83d", "b", "c"]', "[1, null, {}]", "3", '["a"]', '["a", "a", "a"]'))
        word = rng.choice(words)
        metadata = {"huggingface": word % names if "%" in word else word}
    out = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), out)
    return out.getvalue()


def change_payload(content: bytes, rng: random.Random) -> bytes:
    """Return a file of torch.save in which one value, name or tensor is of another kind."""
    import torch

    payload = torch.load(io.BytesIO(content), map_location="cpu", weights_only=False)  # a seed of ours
    holder = payload
    while rng.random() < 0.7 and (below := [part for part in holder.values() if isinstance(part, dict) and part]):
        holder = rng.choice(below)
    name = rng.choice(list(holder))
    if isinstance(holder[name], torch.Tensor):
        holder[name] = rng.choice(_tensors(holder[name]))
    elif rng.random() < 0.5:
        holder[name] = rng.choice(_values(payload))
    else:
        holder[rng.choice(NAMES)] = rng.choice(_values(payload))
    if rng.random() < 0.3:
        holder[rng.choice(("", ".", "a..b", "a\nb", HALF, 3, None, "x." * 2_000))] = holder.pop(name)
    out = io.BytesIO()
    torch.save(payload, out)
    return out.getvalue()


NAMES = [
    "classes",
    "class_to_idx",
    "idx_to_class",
    "args",
    "hyper_parameters",
    "arch",
    "num_classes",
    "image_size",
    "mean",
    "std",
    "model",
    "ema",
]


def _values(payload: object) -> list[Any]:
    """Return what may stand beside weights, and what may not."""
    round_and_round: list[Any] = []
    round_and_round.append(round_and_round)
    told = argparse.Namespace(arch="resnet18", num_classes=np.int64(3), mean=np.array([0.5, 0.5, 0.5]))
    return [
        *(None, -1, 2**70, float("nan"), float("inf"), "", LONG, HALF, "a\nb", [], {}, (), {1, 2}, b"bytes"),
        *(np.float64(61.5), np.int64(3), np.zeros(3), np.zeros((200, 200)), np.array(["a", "b"]), 3 + 4j),
        *({"a": float("inf"), "b": 0}, {LONG: "a"}, {"0": HALF, "1": "b", "2": "c"}, ["a", "a", "a"], {1: 2, 3: [4]}),
        *(told, types.SimpleNamespace(inner=told), round_and_round, payload, range(3), slice(1), Ellipsis),
    ]


def _tensors(tensor: Any) -> list[Any]:
    """Return other tensors in the place of one."""
    import torch

    flat = tensor.reshape(-1) if tensor.numel() else tensor.new_zeros(1)
    kinds = [torch.complex64, torch.float8_e4m3fn, torch.bool, torch.int8, torch.float64, torch.bfloat16]
    shapes = [tensor[None], flat, flat[:0], flat[0], flat[:1].expand(10**9), tensor.to_sparse(), tensor.to("meta")]
    return [*(tensor.to(kind) for kind in kinds), *shapes, tensor * float("nan"), torch.nn.Parameter(tensor.float())]
