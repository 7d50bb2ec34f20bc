"""Hugging Face image parquet: a column of encoded images, a column of labels, class names in the schema's metadata."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.data.dataset import DataSet, Split
from zspag_core.data.images import Decoding
from zspag_core.data.split import assemble, assemble_unsplit, numbered
from zspag_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

_IMAGE_COLUMNS = ("img", "image")
_LABEL_COLUMNS = ("label", "fine_label", "labels", "target")
_ROWS = 4096
_SPLIT = re.compile(r"(train|test|val)", re.IGNORECASE)


def load_parquet(path: Path, name: str, image_size: int, channels: int) -> DataSet:
    """Return the data set of one parquet file, or of a folder of them.

    A file belongs to the split that its name or a folder's name starts with: `train`, `test` (else `val`).

    Raises:
        DataError: no image or label column, a label that is no integer, an image that cannot be read, or several data
            sets in one folder.
    """
    splits = _files_by_split(path)
    test = splits.get("test") or splits.get("val")
    if test is None or "train" not in splits:
        files = [file for part in splits.values() for file in part]
        images = _read_split(files, image_size, channels)
        return assemble_unsplit(name, _class_names(files[0], name, images.labels), images)
    train_split = _read_split(splits["train"], image_size, channels)
    test_split = _read_split(test, image_size, channels)
    names = _class_names(splits["train"][0], name, train_split.labels, test_split.labels)
    return assemble(name, names, train_split, test_split)


def _files_by_split(path: Path) -> dict[str, list[Path]]:
    """Return the parquet files under the path by the split that they hold.

    Raises:
        DataError: several of its folders hold a data set each.
    """
    if path.is_file():
        return {"all": [path]}
    whole = [folder.name for folder in sorted(path.iterdir()) if folder.is_dir() and _is_whole(folder)]
    if len(whole) > 1:
        raise DataError(f"{path} holds several data sets ({', '.join(whole[:4])}); expected the folder of one of them.")
    splits: dict[str, list[Path]] = {}
    for file in sorted(path.rglob("*.parquet")):
        parts = reversed(file.relative_to(path).parts)
        match = next((found for part in parts if (found := _SPLIT.match(part))), None)
        splits.setdefault(match[1].lower() if match else "all", []).append(file)
    return splits


def _is_whole(folder: Path) -> bool:
    """Tell whether a folder has parquet files of more than one split, as a data set of its own has."""
    starts = {match[1].lower() for file in folder.rglob("*.parquet") if (match := _SPLIT.match(file.name))}
    return len(starts) > 1


def _read_split(files: Sequence[Path], image_size: int, channels: int) -> Split:
    """Return the images of the files, one after the other, decoded batch by batch."""
    decoding = Decoding(sum(_open(path).metadata.num_rows for path in files), image_size, channels)
    labels: list[torch.Tensor] = []
    for path in files:
        for start, batch in _batches(path):
            decoding.add(_encoded(path, start, batch.column(0)))
            labels.append(_labels(path, batch.column(1)))
    if not labels:
        raise DataError(f"{files[0]} has no rows; expected images.")
    return Split(decoding.images(), torch.cat(labels))


def _batches(path: Path) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the number of the first row and the image and label columns of each batch of rows."""
    import pyarrow as pa

    file = _open(path)
    columns = [_column(path, file.schema_arrow, names) for names in (_IMAGE_COLUMNS, _LABEL_COLUMNS)]
    start = 0
    try:
        for batch in file.iter_batches(_ROWS, columns=columns):
            yield start, batch.select(columns)
            start += len(batch)
    except (pa.ArrowException, OSError):
        raise DataError(f"{path} is damaged after row {start}.") from None


def _open(path: Path) -> Any:  # noqa: ANN401
    """Return the file as pyarrow's ParquetFile, which has no types."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path)
    except (pa.ArrowException, OSError):
        raise DataError(f"{path} is not a parquet file that can be read.") from None


def _column(path: Path, schema: pa.Schema, names: Sequence[str]) -> str:
    """Return the first of the names that is a column of the file."""
    for name in names:
        if name in schema.names:
            return name
    raise DataError(f"{path} has no column {' or '.join(names)}; found: {', '.join(schema.names) or 'none'}.")


def _encoded(path: Path, start: int, column: pa.Array) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield where each image is and how to get its bytes, from a column of bytes or of Hugging Face's {bytes, path}."""
    import pyarrow as pa

    if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
        column = column.field("bytes")
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        raise DataError(f"The image column of {path} is {column.type}; expected encoded images (bytes).")
    for row, content in enumerate(column, start):
        if not content.is_valid:
            raise DataError(f"Row {row} of {path} has no image bytes.")
        yield f"The image in row {row} of {path}", content.as_py


def _labels(path: Path, column: pa.Array) -> torch.Tensor:
    """Return the labels as (N,) int64."""
    import pyarrow as pa

    if not pa.types.is_integer(column.type) or column.null_count:
        missing = " with missing values" if column.null_count else ""
        raise DataError(f"The label column of {path} is {column.type}{missing}; expected integers.")
    return torch.tensor(column.to_pylist(), dtype=torch.int64)


def _class_names(path: Path, name: str, *labels: torch.Tensor) -> list[str]:
    """Return the names in Hugging Face's metadata, else the labels' numbers."""
    schema = _open(path).schema_arrow
    label = _column(path, schema, _LABEL_COLUMNS)
    try:
        metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = metadata["info"]["features"][label]["names"]
    except (ValueError, KeyError, TypeError):
        return numbered(name, *labels)
    return [str(one) for one in names]
