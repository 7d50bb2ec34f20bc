"""What names of folders and files say: parts of a data set, wrappers, what programs leave behind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import PurePosixPath

TRAIN, TEST, VALIDATION, UNLABELLED = "train", "test", "validation", "unlabelled"

_WORDS = {
    TRAIN: ("train", "training", "trn", "trainset", "traindata"),
    TEST: ("test", "testing", "tst", "eval", "evaluation", "testset", "testdata"),
    VALIDATION: ("val", "valid", "validation", "validate", "dev", "development", "valset", "valdata"),
    UNLABELLED: ("pred", "predict", "prediction", "predictions", "unlabeled", "unlabelled", "unsup", "unsupervised"),
}
_ROLE = {word: role for role, words in _WORDS.items() for word in words}
_AROUND = (
    "data dataset datasets files folder folders image images imagefolder img imgs jpeg jpegs jpg photo photos picture "
    "pictures pics png raw seg set sets split splits subset"
)
_WRAPPERS = frozenset(_AROUND.split())
_JUNK_FOLDERS = frozenset({"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"})
_JUNK_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})


def role_of(name: str) -> str | None:
    """Return the part of a data set that a name stands for, such as `TRAIN` of training_set, seg_train, train2017."""
    words = _words(name)
    roles = {_ROLE[word] for word in words if word in _ROLE}
    return roles.pop() if len(roles) == 1 and all(word in _ROLE or word in _WRAPPERS for word in words) else None


def roles_of(names: Iterable[str]) -> dict[str, str]:
    """Return the parts that names stand for, of those that do.

    Names that are alike but for the part count too, where one of them is the training part: cifar_train, cifar_test.
    """
    found = {name: role for name in names if (role := role_of(name)) is not None}
    alike: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        words = _words(name)
        roles = [_ROLE[word] for word in words if word in _ROLE]
        if len(roles) == 1 and name not in found:
            alike.setdefault(tuple(word for word in words if word not in _ROLE), {})[name] = roles[0]
    for group in alike.values():
        if TRAIN in group.values() and len(set(group.values())) > 1:
            found |= group
    return found


def is_wrapper(name: str) -> bool:
    """Say whether a name means no class but a folder around classes, such as images or data."""
    words = _words(name)
    return bool(words) and all(word in _WRAPPERS for word in words)


def is_junk(path: PurePosixPath) -> bool:
    """Say whether a path is one of those that programs leave behind, such as .DS_Store or @eaDir, or is in one."""
    folders = any(part.startswith(".") or part.casefold() in _JUNK_FOLDERS for part in path.parts)
    return folders or path.name.casefold() in _JUNK_FILES


def _words(name: str) -> list[str]:
    """Return the words of a name, in lower case, without digits."""
    return [word.casefold() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+", name)]
