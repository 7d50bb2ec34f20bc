"""Flat folders of images whose classes stand in a table beside them, such as `labels.csv` with columns id and label."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from zspag_core.data.classes import NAMED
from zspag_core.data.labelled import LabelledFiles
from zspag_core.data.roles import TEST, TRAIN, UNLABELLED, VALIDATION, role_of, roles_of
from zspag_core.errors import DataError, some_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Reader = Callable[[], bytes]

TABLE_SUFFIXES = frozenset({".csv", ".tsv"})
_LABEL_COLUMNS = "class_name classname label_name category breed species class label labels target y diagnosis"
LABEL_COLUMNS = tuple(_LABEL_COLUMNS.split())
"""Columns that hold classes, names before numbers."""
SPLIT_COLUMNS = ("split", "set", "subset", "partition")
MAX_TABLE_BYTES = 256 * 1024**2
MOST_DIGITS = 18
"""Of a class that is a number; what is longer is a name."""
NO_CLASS = frozenset({"", "-1", "?", "nan", "none", "null"})


@dataclass(frozen=True)
class Table:
    """A table whose rows name images.

    Attributes:
        where: what a message calls it.
        role: the part that its own name stands for.
        columns: their names.
        rows: its cells, as many in each as there are columns.
        files: the image that each row names, None where there is none.
    """

    where: str
    role: str | None
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    files: Sequence[PurePosixPath | None]


def labelled_by_table(
    where: str, name: str, images: Mapping[PurePosixPath, Reader], others: Mapping[PurePosixPath, Reader]
) -> tuple[list[LabelledFiles], list[str], bool]:
    """Return images with the classes that tables beside them give.

    Args:
        where: what a message calls the folder.
        name: of the data set.
        images: how to read each image, by its path.
        others: how to read each other file, by its path.

    Returns:
        The training part (or everything) and, where there is one, the test part; notes; whether all classes are
        numbers.

    Raises:
        DataError: no table names images and their classes, or it is not clear which column holds the classes.
    """
    tables = [table for table in _tables(where, images, others) if table is not None]
    classes: dict[PurePosixPath, tuple[str, str | None]] = {}
    used, missing = [], 0
    for table in tables:
        labels = _labels(table)
        if labels is None:
            continue
        used.append(table.where)
        missing += sum(file is None for file in table.files)
        _gather(table, labels, classes)
    if not classes:
        hint = " or a table (.csv) with the class of each" if images else ""
        raise DataError(f"{where} has no class folders; expected a folder of images for each class{hint}.")
    notes = [f"the classes of {name} are taken from {', '.join(used)}"]
    if missing:
        notes.append(f"{missing:,} rows of {', '.join(used)} name no image that is there")
    if left := len(images) - len(classes):
        notes.append(f"{left:,} images of {name} that {', '.join(used)} gives no class are left aside")
    numbers = all(_whole(kind) is not None for kind, _ in classes.values())
    return _parts(where, images, classes, numbers=numbers), notes, numbers


def _tables(
    where: str, images: Mapping[PurePosixPath, Reader], others: Mapping[PurePosixPath, Reader]
) -> Iterable[Table | None]:
    """Yield the tables whose rows name images."""
    index = _index(images)
    for path in sorted(others):
        if path.suffix.lower() in TABLE_SUFFIXES and "submission" not in path.stem.casefold():
            yield _table(f"{where}/{path}", role_of(path.stem), _cells(others[path]()), index)


def _table(
    where: str, role: str | None, rows: list[list[str]], index: Mapping[str, set[PurePosixPath]]
) -> Table | None:
    """Return the rows of a table with the image that each names; None where they name none."""
    width = max(map(len, rows), default=0)
    rows = [[*row, *[""] * (width - len(row))] for row in rows if any(row)]
    if width < 2 or len(rows) < 2:
        return None
    found = [[_file(cell, role, index) for cell in column] for column in zip(*rows, strict=True)]
    key = max(range(width), key=lambda at: sum(file is not None for file in found[at]))
    files = found[key]
    if 2 * sum(file is not None for file in files) < len(rows) - 1:
        return None
    head = [cell.strip() for cell in rows[0]] if files[0] is None else [f"column {at + 1}" for at in range(width)]
    first = 1 if files[0] is None else 0
    others = [at for at in range(width) if at != key]
    columns, cells = [head[at] for at in others], [[row[at].strip() for at in others] for row in rows[first:]]
    return Table(where, role, columns, cells, files[first:])


def _index(images: Iterable[PurePosixPath]) -> dict[str, set[PurePosixPath]]:
    """Return the images by all that a table may call them: path or name, with or without ending."""
    index: dict[str, set[PurePosixPath]] = defaultdict(set)
    for file in images:
        for called in (str(file), str(file.with_suffix("")), file.name, file.stem):
            index[called].add(file)
    return index


def _file(cell: str, role: str | None, index: Mapping[str, set[PurePosixPath]]) -> PurePosixPath | None:
    """Return the one image that a cell names; of several alike, the one in the table's own part."""
    path = PurePosixPath(cell.strip().replace("\\", "/"))
    for start in range(len(path.parts)):
        found = index.get("/".join(path.parts[start:]), set())
        if len(found) > 1:
            found = {file for file in found if (role or TRAIN) in roles_of(file.parts[:-1]).values()}
        if len(found) == 1:
            return next(iter(found))
    return None


def _cells(content: bytes) -> list[list[str]]:
    """Return the cells of a table; what is no table has none."""
    if len(content) > MAX_TABLE_BYTES:
        return []
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    first = text.partition("\n")[0]
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t|", key=first.count)))
    except csv.Error:
        return []


def _labels(table: Table) -> list[str] | None:
    """Return the class in each row; None where the table has no classes.

    Raises:
        DataError: several columns could be the classes.
    """
    split = _column(table, SPLIT_COLUMNS)
    columns = [at for at in range(len(table.columns)) if at != split]
    named = _column(table, LABEL_COLUMNS)
    if named is None and len(columns) == 1:
        named = columns[0]
    if named is not None:
        return [row[named] for row in table.rows]
    if not columns:
        return None
    if (hot := _one_hot(table, columns)) is not None:
        return hot
    which = some_of([table.columns[at] for at in columns], NAMED)
    raise DataError(
        f"{table.where} names the images, but which of its columns {which} is the class it does not say; expected a "
        "column named label."
    )


def _one_hot(table: Table, columns: Sequence[int]) -> list[str] | None:
    """Return the names of the columns that hold each row's only 1 among zeros; None where they are not so."""
    labels = []
    for row in table.rows:
        ones = [at for at in columns if row[at] in {"1", "1.0"}]
        if len(ones) != 1 or any(row[at] not in {"0", "0.0", "1", "1.0"} for at in columns):
            return None
        labels.append(table.columns[ones[0]])
    return labels


def _column(table: Table, names: Sequence[str]) -> int | None:
    """Return the column of the first of the names."""
    folded = [column.casefold().replace(" ", "_") for column in table.columns]
    return next((folded.index(one) for one in names if one in folded), None)


def _gather(table: Table, labels: Sequence[str], classes: dict[PurePosixPath, tuple[str, str | None]]) -> None:
    """Add a table's images with their class and part.

    Raises:
        DataError: an image is given two classes.
    """
    split = _column(table, SPLIT_COLUMNS)
    for row, kind, file in zip(table.rows, labels, table.files, strict=True):
        if file is None or kind.casefold() in NO_CLASS:
            continue
        if file in classes and classes[file][0] != kind:
            raise DataError(f"{table.where} gives {file} the class '{kind}' and also '{classes[file][0]}'.")
        role = table.role if split is None else role_of(row[split])
        classes[file] = (kind, role or next(iter(roles_of(file.parts[:-1]).values()), None))


def _parts(
    where: str,
    images: Mapping[PurePosixPath, Reader],
    classes: Mapping[PurePosixPath, tuple[str, str | None]],
    *,
    numbers: bool,
) -> list[LabelledFiles]:
    """Return the images by part: test, else validation, beside the rest; or all together."""
    roles = {role for _, role in classes.values()}
    held = next((role for role in (TEST, VALIDATION) if role in roles and len(roles) > 1), None)
    aside = {TEST, VALIDATION, UNLABELLED} if held else set()
    chosen = {
        "training images" if held else "images": [file for file, (_, role) in classes.items() if role not in aside]
    }
    if held:
        chosen["test images"] = [file for file, (_, role) in classes.items() if role == held]
    kinds = {file: str(_whole(kind)) if numbers else kind for file, (kind, _) in classes.items()}
    return [
        LabelledFiles(f"the {what} of {where}", [(f"{where}/{file}", images[file], kinds[file]) for file in files])
        for what, files in chosen.items()
    ]


def _whole(text: str) -> int | None:
    """Return the whole number that a text is, such as 3 or 3.0; else None."""
    whole, point, zeros = text.partition(".")
    number = whole.isdecimal() and len(whole) <= MOST_DIGITS
    return int(whole) if number and not zeros.strip("0") and (zeros or not point) else None
