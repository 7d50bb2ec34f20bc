"""Hugging Face image parquet: a column of encoded images, a column of labels, class names in the schema's metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.data.images import Decoding
from zspag_core.data.parts import UNLABELLED, FoundSource, Part, finish
from zspag_core.data.reading import PLAIN, ClassReading
from zspag_core.data.roles import TEST, TRAIN, VALIDATION, roles_of
from zspag_core.data.survey import Survey
from zspag_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa
    from torch import Tensor

    from zspag_core.data.dataset import DataSet
    from zspag_core.data.images import Pictures
    from zspag_core.data.resizing import Size

    Encoded = tuple[str, Callable[[], bytes]]

_IMAGE_COLUMNS = ("img", "image")
_LABEL_COLUMNS = ("label", "fine_label", "labels", "target")
_ROWS = 4096
LARGEST = 2**62
"""Of a label's number."""


@dataclass(frozen=True)
class File:
    """One parquet file.

    Attributes:
        path: where it is.
    """

    path: Path

    @cached_property
    def schema(self) -> pa.Schema:
        """Return its columns."""
        return _open(self.path).schema_arrow

    @cached_property
    def features(self) -> Mapping[str, Mapping[str, Any]]:
        """Return what Hugging Face's metadata say of each column."""
        try:
            found = json.loads((self.schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return {}
        declared = found.items() if isinstance(found, dict) else ()
        return {name: feature for name, feature in declared if isinstance(feature, dict)}

    @property
    def image_column(self) -> str:
        """Return the column of images: of the usual name, else told by the metadata, else the only one of bytes."""
        declared = [name for name, feature in self.features.items() if feature.get("_type") == "Image"]
        bytes_like = [field.name for field in self.schema if _holds_bytes(field.type)]
        return self._column(_IMAGE_COLUMNS, declared, bytes_like)

    @property
    def label_column(self) -> str:
        """Return the column of labels: of the usual name, else told by the metadata, else the only one left."""
        declared = [name for name, feature in self.features.items() if feature.get("_type") == "ClassLabel"]
        others = [name for name in self.schema.names if name != self.image_column]
        return self._column(_LABEL_COLUMNS, declared, others)

    def _column(self, usual: Sequence[str], declared: Sequence[str], likely: Sequence[str]) -> str:
        names = self.schema.names
        for found in (
            [name for name in usual if name in names][:1],
            [name for name in declared if name in names],
            likely,
        ):
            if len(found) == 1:
                return found[0]
        raise DataError(f"{self.path} has no column {' or '.join(usual)}; found: {', '.join(names) or 'none'}.")

    def batches(self, *columns: str) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the number of the first row and some columns of each batch of rows."""
        import pyarrow as pa

        start = 0
        try:
            for batch in _open(self.path).iter_batches(_ROWS, columns=list(columns)):
                yield start, batch.select(list(columns))
                start += len(batch)
        except (pa.ArrowException, OSError):
            raise DataError(f"{self.path} is damaged after row {start}.") from None

    def labels(self) -> list[int] | list[str]:
        """Return the labels: numbers, `UNLABELLED` where there is none, or names.

        Raises:
            DataError: they are none.
        """
        column = self.label_column
        labels = [one for start, batch in self.batches(column) for one in _values(self.path, start, batch.column(0))]
        if any(isinstance(one, str) for one in labels):
            return ["" if one is None else str(one) for one in labels]
        numbers = [UNLABELLED if one is None else int(one) for one in labels]
        if largest := next((one for one in numbers if abs(one) > LARGEST), None):
            raise DataError(f"The label column of {self.path} has values up to {largest:g}; expected class numbers.")
        return numbers

    def images(self) -> Iterator[Encoded]:
        """Yield what a message calls each image and how to read it."""
        for start, batch in self.batches(self.image_column):
            yield from _encoded(self.path, start, batch.column(0))


def load_parquet(path: Path, name: str, image_size: Size, channels: int, reading: ClassReading = PLAIN) -> DataSet:
    """Return the data set of one parquet file, or of a folder of them.

    A file belongs to the part that its name or a folder's name begins with: to train on, to test (else to validate).

    Raises:
        DataError: no image or label column, labels that are no classes, an image that cannot be read, or several data
            sets in one folder; see also :func:`zspag_core.data.parts.finish`.
    """
    splits, notes = _files_by_part(path, name)
    groups = [[File(file) for file in files] for files in splits.values()]
    labels: list[Sequence[int | str]] = [[label for file in files for label in file.labels()] for files in groups]
    for files, some in zip(groups, labels, strict=True):
        if not some:
            raise DataError(f"{files[0].path} has no rows; expected images.")
    numbers, class_names, numbered = _numbers(groups[0][0], labels)
    what = ("the training images", "the test images") if len(groups) > 1 else ("the images",)
    train, *test = (Part(f"{one} of {name}", some) for one, some in zip(what, numbers, strict=True))

    def make(rows: Sequence[Tensor], size: Size, channels: int) -> tuple[list[Pictures], list[str]]:
        seen = Survey()
        chosen = [set(some.tolist()) for some in rows]
        wide = [seen.look(_rows(files, some)) for files, some in zip(groups, chosen, strict=False)]
        made = [_decoded(*one, seen, size, channels) for one in zip(groups, chosen, wide, strict=False)]
        return made, seen.notes(name)

    found = FoundSource(
        name, train, test[0] if test else None, make, class_names, numbered=numbered, notes=tuple(notes)
    )
    return finish(found, image_size, channels, reading)


def _files_by_part(path: Path, name: str) -> tuple[dict[str, list[Path]], list[str]]:
    """Return the parquet files under the path by the part that they hold: to train on and to test, or all; and notes.

    Raises:
        DataError: several of its folders hold a data set each.
    """
    if path.is_file():
        return {"all": [path]}, []
    whole = [folder.name for folder in sorted(path.iterdir()) if folder.is_dir() and _is_whole(folder)]
    if len(whole) > 1:
        raise DataError(f"{path} holds several data sets ({', '.join(whole[:4])}); expected the folder of one of them.")
    splits: dict[str, list[Path]] = {}
    for file in sorted(path.rglob("*.parquet")):
        parts = reversed(file.relative_to(path).parts)
        role = next((role for part in parts if (role := _role_of(part))), "all")
        splits.setdefault(role, []).append(file)
    held = next((role for role in (TEST, VALIDATION) if role in splits), None)
    if held is None or TRAIN not in splits:
        return {"all": [file for part in splits.values() for file in part]}, []
    aside = [role for role in splits if role not in {TRAIN, held}]
    notes = [f"files of {name} left aside: {len(splits[role])} ({splits[role][0].name}, …)" for role in aside]
    return {TRAIN: splits[TRAIN], held: splits[held]}, notes


def _role_of(part: str) -> str | None:
    """Return the part of a data set that a file or folder holds by the first word of its name."""
    first = part.replace(".", "-").replace("_", "-").split("-")[0]
    return roles_of([first]).get(first)


def _is_whole(folder: Path) -> bool:
    """Tell whether a folder has parquet files of more than one part, as a data set of its own has."""
    return len({role for file in folder.rglob("*.parquet") if (role := _role_of(file.name))}) > 1


def _rows(files: Sequence[File], chosen: set[int]) -> Iterator[Encoded]:
    """Yield the images of some rows, counted over all files."""
    images = (image for file in files for image in file.images())
    return (image for row, image in enumerate(images) if row in chosen)


def _decoded(
    files: Sequence[File], chosen: set[int], wide: Sequence[bool], seen: Survey, size: Size, channels: int
) -> Pictures:
    """Return the images of some rows, decoded batch by batch."""
    decoding, batch, start = Decoding(len(chosen), size, channels), [], 0
    for image in _rows(files, chosen):
        batch.append(image)
        if len(batch) == _ROWS or start + len(batch) == len(chosen):
            decoding.add(seen.in_eight_bits(batch, wide[start : start + len(batch)]))
            batch, start = [], start + len(batch)
    return decoding.images()


def _open(path: Path) -> Any:  # noqa: ANN401
    """Return the file as pyarrow's ParquetFile, which has no types."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path)
    except (pa.ArrowException, OSError):
        raise DataError(f"{path} is not a parquet file that can be read.") from None


def _holds_bytes(kind: pa.DataType) -> bool:
    """Say whether a column's type is bytes, or Hugging Face's {bytes, path}."""
    import pyarrow as pa

    return (pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0) or _is_binary(kind)


def _is_binary(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _encoded(path: Path, start: int, column: pa.Array) -> Iterator[Encoded]:
    """Yield where each image is and how to get its bytes, from a column of bytes or of Hugging Face's {bytes, path}."""
    import pyarrow as pa

    names: pa.Array | None = None
    if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
        names = column.field("path") if column.type.get_field_index("path") >= 0 else None
        column = column.field("bytes")
    if not _is_binary(column.type):
        raise DataError(f"The image column of {path} is {column.type}; expected encoded images (bytes).")
    for row, content in enumerate(column, start):
        if not content.is_valid:
            file = names[row - start] if names is not None else None
            only = file is not None and file.is_valid
            held = f", only the path '{file}'; expected a file that holds the images themselves" if only else ""
            raise DataError(f"Row {row} of {path} has no image bytes{held}.")
        yield f"The image in row {row} of {path}", content.as_py


def _values(path: Path, start: int, column: pa.Array) -> list[Any]:
    """Return labels as whole numbers or names, None where there is none."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind) or _is_text(kind):
        return _plain(path, start, column)
    values = list(column.to_pylist()) if pa.types.is_floating(kind) else [0.5]
    if all(value is None or value.is_integer() for value in values):
        return values
    several = " (several classes for an image)" if pa.types.is_list(kind) or pa.types.is_large_list(kind) else ""
    raise DataError(f"The label column of {path} is {kind}{several} in row {start}; expected integers or names.")


def _plain(path: Path, start: int, column: pa.Array) -> list[Any]:
    """Return the values of a column; texts in a parquet file may be none."""
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        raise DataError(
            f"The label column of {path} holds names that are no UTF-8 text, from row {start} on."
        ) from None


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _numbers(file: File, parts: Sequence[Sequence[int | str]]) -> tuple[list[Tensor], Sequence[str] | None, bool]:
    """Return the labels of every part as numbers, what they mean, and whether the file itself orders its classes.

    Raises:
        DataError: names in one part, numbers in another.
    """
    kinds = {type(label) for part in parts for label in part if label != UNLABELLED}
    if kinds == {str}:
        names = sorted({str(label) for part in parts for label in part if label not in {"", UNLABELLED}})
        number = {name: k for k, name in enumerate(names)}
        return [torch.tensor([number.get(str(label), UNLABELLED) for label in part]) for part in parts], names, False
    if len(kinds) > 1:
        raise DataError(f"{file.path} has names for labels where another part has numbers; expected one kind.")
    declared = file.features.get(file.label_column, {}).get("names")
    known = [str(one) for one in declared] if isinstance(declared, list) else None
    return [torch.tensor([int(label) for label in part]) for part in parts], known, True
