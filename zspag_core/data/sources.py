"""Where a data set is, by name or by path, and which form it has there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from zspag_core.data.archive import open_archive
from zspag_core.data.cache import cached
from zspag_core.data.digits import load_digits
from zspag_core.data.folders import load_folder, load_zip
from zspag_core.data.npz import load_npz
from zspag_core.data.parquet import load_parquet
from zspag_core.data.pickles import holds_cifar, load_cifar
from zspag_core.data.reading import PLAIN, ClassReading
from zspag_core.data.resizing import resizing_of
from zspag_core.data.svhn import holds_svhn, load_svhn
from zspag_core.data.torchvision_sets import TORCHVISION_SETS, load_torchvision
from zspag_core.errors import DataError, UsageError
from zspag_core.files import home

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zspag_core.data.dataset import DataSet
    from zspag_core.data.resizing import Size

    Loader = Callable[[Path, str, Size, int, ClassReading], DataSet]

DATASETS = ("digits", "cifar10", "cifar100", "svhn", "fashion_mnist")
MAX_IMAGE_SIZE = 512


def load_dataset(
    source: str,
    *,
    image_size: Size = 32,
    channels: int = 3,
    download: bool = True,
    class_names: Sequence[str] | None = None,
    num_classes: int | None = None,
    order: str | None = None,
    held_out: float | None = None,
) -> DataSet:
    """Return a data set, decoded and resized (where only a side is given: stretched to a square, antialiased bilinear).

    A name is looked up in the read-only folder ZSPAG_DATA first (`NAME/`, `NAME.npz` or `NAME.zip`), then among
    torchvision's downloads under ZSPAG_HOME. `digits` comes with scikit-learn. What was assumed or left aside is in the
    data set's notes.

    Where a model's outputs are known (their names, or at least their number) the data may lack classes and a test part,
    down to images of a single class. Images of some classes only are all taken to train on, so that the images to
    forget are the same whether they come alone or in a training part beside others; `held_out` keeps a share of each
    class instead. A whole set without a test part is split by a fixed, stratified fifth, with a model as without.

    Args:
        source: one of `DATASETS`, a name in ZSPAG_DATA, or a path: a folder or `.zip` of class folders (or of images
            that a `.csv` beside them labels), an `.npz`, a `.parquet` file or a folder of them, a folder with SVHN's
            `.mat` files or with CIFAR's own pickles.
        image_size: side of the images in pixels, 1 to 512, or how they are resized.
        channels: 1 (grey) or 3 (colour).
        download: whether the network may be used.
        class_names: the names of a model's outputs; the data's classes are found among them by name, exact or else
            without regard to capitals, and labels without names are places among them.
        num_classes: the number of a model's outputs, where their names are not known.
        order: how class folders are numbered where the model's names do not say: "code_point", as torchvision's
            ImageFolder does, or "natural" (2 before 10, ant before Zebra); None takes the first, with a note where the
            two differ.
        held_out: the share of each class's images, 0 to 0.9, that is kept for testing where there is no test part.

    Returns:
        The data set, with uint8 images (N, channels, side, side), and one class name per output.

    Raises:
        DataError: the source does not exist or cannot be used; one sentence says what and where.
        MisfitError: it can be used, but not with the model.
        UsageError: an image size, number of channels, order or share outside its range.
    """
    side = resizing_of(image_size).image_size if image_size else 0
    if not 1 <= side <= MAX_IMAGE_SIZE:
        raise UsageError(f"image size: expected 1 to {MAX_IMAGE_SIZE} pixels, got {side}")
    if channels not in {1, 3}:
        raise UsageError(f"channels: expected 1 or 3, got {channels}")
    reading = ClassReading(None if class_names is None else tuple(class_names), num_classes, order, held_out)
    if source == "digits":
        return load_digits(image_size, channels, reading)
    try:
        path = _find(source)
        if path is not None:
            name = source if source in DATASETS else path.resolve().name
            return load_path(path, name, image_size, channels, reading)
    except OSError as error:
        raise DataError(f"{error.filename or source} cannot be read: {error.strerror or error}.") from None
    if source in TORCHVISION_SETS:
        return load_torchvision(source, home() / "data", image_size, channels, reading, download=download)
    raise DataError(f"There is no data set '{source}'; expected one of {', '.join(DATASETS)} or a path that exists.")


def load_path(path: Path, name: str, image_size: Size, channels: int, reading: ClassReading = PLAIN) -> DataSet:
    """Return the data set at a path, whatever form it has; arguments and errors as in :func:`load_dataset`."""
    load = _form_of_folder(path) if path.is_dir() else _FORMS.get(_form_of(path))
    if load is None:
        raise DataError(f"{path} has an unknown form; expected a folder, a .zip, an .npz or a .parquet file.")
    if load in _ENCODED:
        return cached(
            path, image_size, channels, lambda: load(path, name, image_size, channels, reading), repr(reading)
        )
    return load(path, name, image_size, channels, reading)


def _form_of_folder(path: Path) -> Loader:
    """Return what reads a folder."""
    if holds_svhn(path):
        return load_svhn
    if holds_cifar(path):
        return load_cifar
    return load_parquet if next(path.rglob("*.parquet"), None) else load_folder


def _form_of(path: Path) -> str:
    """Return the ending that a file should have, by its own ending or else by its content."""
    if path.suffix.lower() in _FORMS:
        return path.suffix.lower()
    with path.open("rb") as file:
        begins = file.read(4)
    if begins == b"PAR1":
        return ".parquet"
    if begins != b"PK\x03\x04":
        return ""
    with open_archive(path) as archive:
        arrays = [info.filename.endswith(".npy") for info in archive.infolist()]
    return ".npz" if arrays and all(arrays) else ".zip"


_FORMS: dict[str, Loader] = {".npz": load_npz, ".zip": load_zip, ".parquet": load_parquet}
_ENCODED = (load_folder, load_zip, load_parquet)


def _find(source: str) -> Path | None:
    """Return where the source lies on this machine, if it does."""
    shared = os.environ.get("ZSPAG_DATA")
    is_name = source not in {"", ".", ".."} and Path(source).name == source
    candidates = [Path(shared) / f"{source}{form}" for form in ("", ".npz", ".zip")] if shared and is_name else []
    if source not in DATASETS:
        candidates.insert(0, Path(source).expanduser())
    return next((path for path in candidates if source and path.exists()), None)
