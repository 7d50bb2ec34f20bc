from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from zspag_core.data.roles import TEST, TRAIN, UNLABELLED, VALIDATION, is_junk, is_wrapper, role_of, roles_of


@pytest.mark.parametrize(
    ("names", "role"),
    [
        (["train", "Train", "TRAIN", "training_set", "seg_train", "train2017", "TrainImages", "trainset"], TRAIN),
        (["test", "TEST", "testing", "test_set", "seg-test", "test_images", "evaluation", "TestSet"], TEST),
        (["val", "valid", "validation", "validation_set", "dev", "val2017", "Val Images"], VALIDATION),
        (["seg_pred", "unlabeled", "predictions"], UNLABELLED),
        (["cat", "trains", "steam train", "test tube", "train_test", "valley", "", "2017", "images"], None),
    ],
)  # fmt: skip
def test_parts_of_a_data_set_by_their_names(names, role):
    assert {name: role_of(name) for name in names} == dict.fromkeys(names, role)


def test_names_that_are_alike_but_for_the_part():
    assert roles_of(["cifar_train", "cifar_test"]) == {"cifar_train": TRAIN, "cifar_test": TEST}
    assert roles_of(["crash_test", "dog"]) == {}
    assert roles_of(["crash_test", "flight_train"]) == {}
    assert roles_of(["train", "bus"]) == {"train": TRAIN}


def test_wrappers_are_no_classes():
    assert all(is_wrapper(name) for name in ("images", "Data", "img_files", "JPEGImages", "dataset 2"))
    assert not any(is_wrapper(name) for name in ("cat", "cat images", "a", "0", ""))


def test_what_programs_leave_behind():
    for path in (
        ".DS_Store",
        "a/._b.png",
        "__MACOSX/a/b.png",
        "@eaDir/x/y.jpg",
        "Thumbs.db",
        "a/Desktop.ini",
        ".git/x",
    ):
        assert is_junk(PurePosixPath(path)), path
    for path in ("a/b.png", "eaDir/x.png", "thumbs/a.png", "a..b/c.png"):
        assert not is_junk(PurePosixPath(path)), path
