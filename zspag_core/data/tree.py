"""A tree of class folders, whether it lies on the disk or in an archive."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from zspag_core.data.classes import natural
from zspag_core.data.labelled import LabelledFiles, found_files
from zspag_core.data.parts import finish
from zspag_core.data.reading import PLAIN, ClassReading
from zspag_core.data.roles import TEST, TRAIN, VALIDATION, is_junk, is_wrapper, roles_of
from zspag_core.data.survey import head_of
from zspag_core.data.tables import labelled_by_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from zspag_core.data.dataset import DataSet
    from zspag_core.data.resizing import Size

    Reader = Callable[[], bytes]

_IMAGES = "avif bmp gif jfif jif jp2 jpe jpeg jpg pbm pgm png pnm ppm tga tif tiff webp"
_OTHERS = (
    "csv db doc docx gz html ini ipynb json jsonl log m mat md npy npz parquet pdf pkl pt pth py rst rtf sh sqlite tar "
    "tsv txt xls xlsx xml yaml yml zip"
)
IMAGE_SUFFIXES = frozenset(f".{ending}" for ending in _IMAGES.split())
NO_IMAGE = frozenset(f".{ending}" for ending in _OTHERS.split())
"""Files beside the images that nobody takes for some."""
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_CONTAINERS = {(b"RIFF", b"WEBP"), (b"ftyp", b"avif")}
_SPLITS = frozenset({TRAIN, TEST, VALIDATION})


@dataclass(frozen=True)
class Tree:
    """Folders and the image files in them, without what programs left behind.

    Attributes:
        where: what a message calls the root.
        folders: the path of every folder, from the root.
        images: how to read each image file, by its path from the root.
        others: how to read each other file.
        aside: how many files are left aside, by what a note calls them.
    """

    where: str
    folders: frozenset[PurePosixPath]
    images: dict[PurePosixPath, Reader]
    others: dict[PurePosixPath, Reader] = field(default_factory=dict)
    aside: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, where: str, folders: Iterable[PurePosixPath], files: Mapping[PurePosixPath, Reader]) -> Tree:
        """Return the tree of these folders and files, with the folders that the files are in."""
        kept = {file: read for file, read in files.items() if not is_junk(file)}
        images = {file: read for file, read in kept.items() if _is_image(file, read)}
        others = {file: read for file, read in kept.items() if file not in images}
        parents = (parent for file in kept for parent in file.parents)
        seen = {folder for folder in (*folders, *parents) if folder.parts and not is_junk(folder)}
        unread = [file for file in others if file.suffix.lower() not in NO_IMAGE and len(file.parts) > 1]
        aside = Counter(f"no images known here ({_ending(file)})" for file in unread)
        if junk := len(files) - len(kept):
            aside["left behind by programs (such as .DS_Store)"] = junk
        return cls(where, frozenset(seen), images, others, aside)

    def top(self) -> list[str]:
        """Return the names of the folders in the root."""
        return sorted({folder.parts[0] for folder in self.folders})

    def filled(self) -> list[str]:
        """Return the names of the folders in the root that hold images, at any depth."""
        return sorted({file.parts[0] for file in self.images if len(file.parts) > 1})

    def below(self, name: str) -> Tree:
        """Return the tree under one of the folders in the root."""
        return Tree(
            f"{self.where}/{name}",
            frozenset(
                folder.relative_to(name) for folder in self.folders if len(folder.parts) > 1 and folder.parts[0] == name
            ),
            {file.relative_to(name): read for file, read in self.images.items() if file.parts[0] == name},
            {file.relative_to(name): read for file, read in self.others.items() if file.parts[0] == name},
        )


def load_tree(tree: Tree, name: str, image_size: Size, channels: int, reading: ClassReading = PLAIN) -> DataSet:
    """Return the data set of a tree of class folders, or of images that a table beside them labels.

    With folders for training and for test (else for validation), under any of their usual names, those are the splits.
    Folders around everything are looked through. What has no class is left aside with a note.

    Raises:
        DataError: no class folders and no table; see also :func:`zspag_core.data.parts.finish`.
    """
    parts, notes, numbers = _parts_of(tree, name, _known(reading))
    notes += [f"files of {name} left aside: {count:,}, {what}" for what, count in tree.aside.items()]
    return finish(found_files(name, parts, notes, numbers=numbers), image_size, channels, reading)


def _parts_of(tree: Tree, name: str, known: frozenset[str]) -> tuple[list[LabelledFiles], list[str], bool]:
    """Return the training part (or everything) and a test part, if any; notes; whether classes are numbers."""
    inner = _look_through(tree, known)
    if roles := _splits(inner, known):
        return *_by_splits(inner, name, roles, known), False
    if inner.folders and not _means_no_class(inner, known):
        return [_by_folder(inner, "the images")], _stray(inner), False
    own = _own_name(inner)
    if not inner.folders and inner.images and own.casefold() in known:
        return (
            [_one_class(inner)],
            [f"all images of {name} are taken for class {own}, as their folder is called"],
            False,
        )
    return labelled_by_table(tree.where, name, tree.images, tree.others)


def _look_through(tree: Tree, known: frozenset[str]) -> Tree:
    """Return the tree below the folders that are around everything."""
    while True:
        filled, top = tree.filled(), tree.top()
        around = filled if len(filled) == 1 and (is_wrapper(filled[0]) or roles_of(filled)) else top
        if len(around) != 1 or around[0].casefold() in known or not tree.below(around[0]).folders:
            return tree
        if around is filled and not tree.below(around[0]).filled():
            return tree
        tree = tree.below(around[0])


def _splits(tree: Tree, known: frozenset[str]) -> dict[str, str]:
    """Return the folders that are parts of a data set by their names, where one of those to train on has classes."""
    roles = {name: role for name, role in roles_of(tree.top()).items() if name in tree.filled()}
    parts = [name for name in roles if roles[name] in _SPLITS]
    labelled = [name for name in parts if _has_classes(_look_through(tree.below(name), known), known)]
    if any(roles[name] == TRAIN for name in labelled):
        return roles
    return roles if labelled and len(roles) == len(tree.filled()) else {}


def _by_splits(
    tree: Tree, name: str, roles: Mapping[str, str], known: frozenset[str]
) -> tuple[list[LabelledFiles], list[str]]:
    """Return the parts under folders that are named as such; flat and further ones are left aside with a note."""
    trees = {folder: _look_through(tree.below(folder), known) for folder in roles}
    with_classes = {folder: below for folder, below in trees.items() if _has_classes(below, known)}
    labelled = {folder: below for folder, below in with_classes.items() if roles[folder] in _SPLITS}
    train = _first(labelled, roles, (TRAIN, TEST, VALIDATION))
    held = {folder: below for folder, below in labelled.items() if folder != train and _shares(below, labelled[train])}
    test = _first(held, roles, (TEST, VALIDATION)) if held and roles[train] == TRAIN else None
    notes = _stray(tree) + [note for folder in (train, test) if folder for note in _stray(labelled[folder])]
    for folder in tree.filled():
        count = len(tree.below(folder).images)
        if folder not in {train, test}:
            why = "without class folders" if folder in roles and folder not in labelled else "which is another part"
            notes.append(f"{count:,} images in {name}'s folder {folder}, {why}, are left aside")
    if test is None:
        what = "the images" if roles[train] == TRAIN else f"the {roles[train]} images"
        return [_by_folder(labelled[train], what)], notes
    parts = [_by_folder(labelled[train], "the training images"), _by_folder(labelled[test], "the test images")]
    return parts, notes


def _has_classes(tree: Tree, known: frozenset[str]) -> bool:
    """Say whether a part has class folders."""
    return bool(tree.filled()) and not _means_no_class(tree, known)


def _first(trees: Mapping[str, Tree], roles: Mapping[str, str], wanted: Sequence[str]) -> str:
    """Return the folder of the first role that there is; shorter names win over longer ones."""
    ranked = sorted(
        trees, key=lambda folder: (wanted.index(roles[folder]) if roles[folder] in wanted else 9, len(folder))
    )
    return ranked[0]


def _shares(test: Tree, train: Tree) -> bool:
    """Say whether a test part has classes: a single folder that is none of the training part's is only a container."""
    return len(test.filled()) > 1 or set(test.filled()) <= set(train.top())


def _by_folder(tree: Tree, what: str) -> LabelledFiles:
    """Return the images below each class folder, in natural order."""
    files = sorted((file for file in tree.images if len(file.parts) > 1), key=lambda file: natural(str(file)))
    labelled = [(f"{tree.where}/{file}", tree.images[file], file.parts[0]) for file in files]
    return LabelledFiles(f"{what} of {tree.where}", labelled, sorted({*tree.top()} - {*tree.filled()}))


def _one_class(tree: Tree) -> LabelledFiles:
    """Return images without folders as one class, which the folder around them is named after."""
    kind = _own_name(tree)
    files = sorted(tree.images, key=lambda file: natural(str(file)))
    return LabelledFiles(
        f"the images of {tree.where}", [(f"{tree.where}/{file}", tree.images[file], kind) for file in files]
    )


def _own_name(tree: Tree) -> str:
    """Return the name of the folder or of the zip around everything."""
    own = PurePosixPath(tree.where)
    return own.stem if own.suffix.lower() == ".zip" else own.name


def _stray(tree: Tree) -> list[str]:
    """Return a note on images beside the class folders."""
    count = sum(len(file.parts) == 1 for file in tree.images)
    return [f"{count:,} images of {tree.where} lie in no class folder and are left aside"] if count else []


def _means_no_class(tree: Tree, known: frozenset[str]) -> bool:
    """Say whether every folder with images is a part or a wrapper by its name, so that none is a class."""
    filled, roles = tree.filled(), roles_of(tree.filled())
    return bool(filled) and all((name in roles or is_wrapper(name)) and name.casefold() not in known for name in filled)


def _known(reading: ClassReading) -> frozenset[str]:
    """Return the names, without capitals, that are classes for certain."""
    return frozenset(one.casefold() for one in reading.class_names or ())


def _is_image(file: PurePosixPath, read: Reader) -> bool:
    """Say whether a file is an image, by its ending, else by how it begins."""
    suffix = file.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return True
    if suffix in NO_IMAGE:
        return False
    head = head_of(read, 16)
    return head.startswith(_MAGIC) or (head[:4], head[8:12]) in _CONTAINERS or (head[4:8], head[8:12]) in _CONTAINERS


def _ending(file: PurePosixPath) -> str:
    """Return what a note calls a kind of file."""
    return file.suffix.lower() or "without an ending"
