"""A tree of class folders, whether it lies on the disk or in an archive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from zspag_core.data.dataset import DataSet, Split
from zspag_core.data.images import decode_images
from zspag_core.data.split import assemble, assemble_unsplit, check_classes, check_labels
from zspag_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import PurePosixPath

    Reader = Callable[[], bytes]

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
_TRAIN_NAMES = ("train", "training")
_TEST_NAMES = ("test", "testing", "val", "valid", "validation")


@dataclass(frozen=True)
class Tree:
    """Folders and the image files in them, without the hidden ones.

    Attributes:
        where: what a message calls the root.
        folders: the path of every folder, from the root.
        images: how to read each image file, by its path from the root.
    """

    where: str
    folders: frozenset[PurePosixPath]
    images: dict[PurePosixPath, Reader]

    @classmethod
    def of(cls, where: str, folders: Iterable[PurePosixPath], files: Mapping[PurePosixPath, Reader]) -> Tree:
        """Return the tree of these folders and files, with the folders that the files are in."""
        parents = (parent for file in files for parent in file.parents)
        seen = {folder for folder in (*folders, *parents) if folder.parts and not is_hidden(folder)}
        images = {
            file: read for file, read in files.items() if file.suffix.lower() in IMAGE_SUFFIXES and not is_hidden(file)
        }
        return cls(where, frozenset(seen), images)

    def top(self) -> list[str]:
        """Return the names of the folders in the root, in natural order."""
        return sorted({folder.parts[0] for folder in self.folders}, key=natural)

    def below(self, name: str) -> Tree:
        """Return the tree under one of the folders in the root."""
        return Tree(
            f"{self.where}/{name}",
            frozenset(
                folder.relative_to(name) for folder in self.folders if len(folder.parts) > 1 and folder.parts[0] == name
            ),
            {file.relative_to(name): read for file, read in self.images.items() if file.parts[0] == name},
        )


def load_tree(tree: Tree, name: str, image_size: int, channels: int) -> DataSet:
    """Return the data set of a tree of class folders.

    With `train` and `test` (else `val`) folders, those are the splits; otherwise a fixed, stratified 80/20 split is
    made. A single folder around everything is looked through.

    Raises:
        DataError: no class folders, one class only, an empty class, an unreadable image.
    """
    while len(tree.top()) == 1 and tree.below(tree.top()[0]).folders:
        tree = tree.below(tree.top()[0])
    if not tree.folders:
        raise DataError(f"{tree.where} has no class folders; expected a folder of images for each class.")
    train, test = _named(tree, _TRAIN_NAMES), _named(tree, _TEST_NAMES)
    if train is None or test is None:
        class_names = tree.top()
        return assemble_unsplit(name, class_names, _read_split(tree, "images", class_names, image_size, channels))
    class_names = sorted({*train.top(), *test.top()}, key=natural)
    return assemble(
        name,
        class_names,
        _read_split(train, "training images", class_names, image_size, channels),
        _read_split(test, "test images", class_names, image_size, channels),
    )


def natural(name: str) -> tuple[list[str | int], str]:
    """Return a sorting key that puts `class2` before `class10`."""
    pieces = re.split(r"(\d+)", name.casefold())
    return [int(piece) if number % 2 else piece for number, piece in enumerate(pieces)], name


def is_hidden(path: PurePosixPath) -> bool:
    """Say whether a path is one of those that file managers leave behind, or is in one."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _named(tree: Tree, names: Sequence[str]) -> Tree | None:
    """Return the tree under the first of the names that is a folder in the root, in any case of letters."""
    found = {folder.lower(): folder for folder in tree.top()}
    return next((tree.below(found[name]) for name in names if name in found), None)


def _read_split(tree: Tree, what: str, class_names: Sequence[str], image_size: int, channels: int) -> Split:
    """Return the images below each class folder; what can be checked without decoding is checked first."""
    check_classes(tree.where, len(class_names))
    label_of = {name: label for label, name in enumerate(class_names)}
    files = sorted((file for file in tree.images if len(file.parts) > 1), key=lambda file: natural(str(file)))
    labels = torch.tensor([label_of[file.parts[0]] for file in files], dtype=torch.int64)
    check_labels(f"the {what} of {tree.where}", labels, class_names)
    encoded = ((f"{tree.where}/{file}", tree.images[file]) for file in files)
    return Split(decode_images(encoded, image_size, channels), labels)
