"""Which groups of images, beside those to forget, a data set has to grade a run with; light, so that pages may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zspag_core.data.dataset import DataSet, Split

GROUPS = {
    "retain_train": "training images of remaining classes",
    "retain_test": "test images of remaining classes",
    "forget_test": "test images of the forgotten classes",
}


def lacking(dataset: DataSet, forget: Sequence[int]) -> tuple[str, ...]:
    """Return the groups, keys of `GROUPS`, that a data set has not, or of which it has not every class.

    Args:
        dataset: with one name for every class that the model tells apart.
        forget: the classes in the role of the forgotten ones.
    """
    remaining = [k for k in range(dataset.num_classes) if k not in forget]
    wanted = {
        "retain_train": (dataset.train, remaining),
        "retain_test": (dataset.test, remaining),
        "forget_test": (dataset.test, forget),
    }
    return tuple(group for group, (part, classes) in wanted.items() if not _holds(part, classes))


def without_parts(dataset: DataSet, forget: Sequence[int]) -> DataSet:
    """Return a data set without the images of groups that are there only in part.

    An accuracy on some of the remaining classes is none on the remaining classes, so it must not stand in its place.

    Args:
        dataset: whole, or with images of some classes only.
        forget: the classes in the role of the forgotten ones.
    """
    from dataclasses import replace

    lacks = lacking(dataset, forget)
    if "retain_train" in lacks:
        dataset = replace(dataset, train=dataset.train.of_classes(forget))
    if "retain_test" in lacks:
        dataset = replace(dataset, test=dataset.test.of_classes(forget))
    return replace(dataset, test=dataset.test.without_classes(forget)) if "forget_test" in lacks else dataset


def ungraded(lacks: Iterable[str]) -> str | None:
    """Say in one sentence what is not graded for want of images, None where nothing is lacking.

    Args:
        lacks: keys of `GROUPS`.
    """
    groups = set(lacks)
    if not groups:
        return None
    measures = _measures(groups)
    return (
        f"The data lacks {_groups(groups)}, so {_listed(measures)} {'is' if len(measures) == 1 else 'are'} not graded."
    )


def lacking_words(lacks: Iterable[str]) -> str | None:
    """Say in a few words, before a run, what its data lacks; `ungraded` says afterwards what that cost.

    Args:
        lacks: keys of `GROUPS`.
    """
    groups = set(lacks)
    return f"the data lacks {_groups(groups)}: what needs them is not graded" if groups else None


def _groups(groups: set[str]) -> str:
    """Name what is lacking."""
    if groups == set(GROUPS):
        return "images of remaining classes and test images"
    return _listed([words for group, words in GROUPS.items() if group in groups])


def _measures(groups: set[str]) -> list[str]:
    """Name what the groups are needed for."""
    needs = {
        "accuracy on the remaining classes": {"retain_test"},
        "test accuracy on the forgotten ones": {"forget_test"},
        "the probe": {"retain_train", "forget_test"},
        "membership inference": {"retain_train", "retain_test", "forget_test"},
        "relearning": {"forget_test"},
    }
    return [measure for measure, wanted in needs.items() if wanted & groups]


def _listed(words: Sequence[str]) -> str:
    """Join words as a person does: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _holds(part: Split, classes: Sequence[int]) -> bool:
    """Tell whether a split has an image of each of some classes."""
    return set(classes) <= set(part.labels.unique().tolist())
