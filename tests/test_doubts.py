"""Wrong readings and wrong orders are found on labelled images, right ones are let through."""

import re
from dataclasses import replace

import pytest
import torch

from zspag_core import doubts
from zspag_core.checkpoints import Checkpoint, load_checkpoint
from zspag_core.data import load_dataset
from zspag_core.doubts import (
    best_matching,
    check_classes,
    check_order,
    check_reading,
    clearly_better,
    try_orders,
    try_readings,
    with_reading,
)
from zspag_core.errors import CheckpointError, UsageError


@pytest.fixture(scope="module")
def model():
    """The shipped model: it reads every digit, and its images are of another size than digits are."""
    return load_checkpoint("digits_resnet").model


@pytest.fixture(scope="module")
def digits(model):
    return load_dataset("digits", image_size=model.config.image_size, channels=model.config.channels)


def _checkpoint(model, assumed):
    return Checkpoint(model, {"assumed": dict.fromkeys(assumed)}, "")


def test_a_wrong_normalisation_is_told_with_both_figures(model, digits):
    shift = 3.0
    wrong = with_reading(model, mean=tuple(m + shift for m in model.config.mean))
    tried = try_readings(_checkpoint(wrong, ["mean", "std"]), digits, lambda _size: digits)
    assert tried[0].words == "as assumed"
    assert [one.accuracy for one in tried[1:]] == sorted((one.accuracy for one in tried[1:]), reverse=True)
    with pytest.raises(UsageError, match=r"reads \d+\.\d % of 256 labelled images.*--mean .* --std "):
        check_reading(_checkpoint(wrong, ["mean", "std"]), digits, lambda _size: digits)


def test_a_right_reading_and_a_stated_one_pass(model, digits):
    assert try_readings(_checkpoint(model, ["mean", "std"]), digits, lambda _size: digits)[0].accuracy > 95
    for assumed in (["mean", "std"], []):
        assert check_reading(_checkpoint(model, assumed), digits, lambda _size: digits) == ()


def test_no_other_size_is_tried_where_the_model_reads_well(model, digits):
    def at_size(_size):
        raise AssertionError("not needed")

    tried = try_readings(_checkpoint(model, ["image_size"]), digits, at_size)
    assert [one.words for one in tried] == ["as assumed"]


def test_another_size_is_found(model, monkeypatch):
    monkeypatch.setattr(doubts, "FEW", 24)  # of 224 pixels
    sets = {size: load_dataset("digits", image_size=size, channels=model.config.channels) for size in (32, 64, 224)}
    small = with_reading(model, image_size=224)
    with pytest.raises(UsageError, match="--image-size 32"):
        check_reading(_checkpoint(small, ["image_size"]), sets[224], sets.__getitem__)


def test_a_reading_that_the_network_does_not_take_is_refused(model):
    with pytest.raises(CheckpointError, match="image_size"):
        with_reading(model, image_size=2)


def test_orders_are_told_apart(model, digits):
    names = tuple(str(k + 1) for k in range(10))  # 1 … 10: as a person counts, and as the model's outputs are
    counted = replace(digits, class_names=names)
    assert check_order(model, counted, None).taken > 95
    by_code = sorted(range(10), key=lambda k: names[k])  # the class that stands at each place
    place = torch.tensor([by_code.index(k) for k in range(10)])
    wrong = replace(
        digits,
        class_names=tuple(names[k] for k in by_code),
        train=type(digits.train)(digits.train.images, place[digits.train.labels]),
    )
    with pytest.raises(UsageError, match=r"natural order \d+\.\d %; choose with --order natural"):
        check_order(model, wrong, None)
    assert check_order(model, wrong, "given").taken < 50


def test_an_order_that_nobody_knows_is_found_by_matching(model, digits):
    turned = torch.tensor([3, 4, 5, 6, 7, 8, 9, 0, 1, 2])
    wrong = replace(digits, train=type(digits.train)(digits.train.images, turned[digits.train.labels]))
    with pytest.raises(UsageError, match="--classes FILE"):
        check_order(model, wrong, None)
    figures = try_orders(model, wrong)
    assert figures.best > 95 > figures.taken
    assert figures.matching == {int(turned[k]): k for k in range(10)}


def test_images_of_one_class_are_enough_to_doubt(model, digits):
    fours = digits.train.of_classes((4,))
    wrong = replace(digits, train=type(fours)(fours.images, torch.full_like(fours.labels, 7)))
    said = r"or how the images are prepared: of \d+ images of '7' .* as output 4, '4'; first.* name the outputs"
    with pytest.raises(UsageError, match=said):
        check_order(model, wrong, None)
    with pytest.raises(
        UsageError, match=r"prepared \(image size 224 was assumed: state --image-size, --mean and --std\)"
    ):
        check_order(model, wrong, None, "image size 224")
    assert check_order(model, replace(digits, train=fours), None).taken > 95


def test_matching_gains_nothing_by_chance():
    generator = torch.Generator().manual_seed(0)
    labels, predicted = (torch.randint(10, (256,), generator=generator) for _ in range(2))
    accuracy, _ = best_matching(predicted, labels)
    assert accuracy < 20
    assert best_matching(labels, labels)[0] > 95


def test_small_differences_are_no_reason_to_ask():
    assert not clearly_better(60.0, 55.0, 256)
    assert clearly_better(55.9, 21.7, 256)
    assert not clearly_better(40.0, 20.0, 20)
    assert not clearly_better(20.0, 40.0, 256)


def _told(model, **about):
    return Checkpoint(model, {"told": {"mean": list(model.config.mean), "std": list(model.config.std)}} | about, "")


def test_what_a_file_says_is_doubted_where_little_is_read_with_it(model, digits):
    wrong = with_reading(model, mean=tuple(m + 3.0 for m in model.config.mean))
    with pytest.raises(UsageError, match=r"may say wrongly .*as it says \(mean 3.*choose with --mean"):
        check_reading(_told(wrong, stated=[]), digits, lambda size: load_dataset("digits", image_size=size, channels=1))


def test_what_a_person_stated_stands_with_a_note(model, digits):
    wrong = with_reading(model, mean=tuple(m + 3.0 for m in model.config.mean))
    for about in ({"stated": ["mean", "std"]}, {}):  # an older header does not tell who said it
        (note,) = check_reading(_told(wrong, **about), digits, lambda _size: digits)
        assert note.startswith("prepared as stated (mean 3")
        assert "of 256 labelled images, with normalisation: " in note


def test_what_a_file_says_costs_one_look_where_the_model_reads_well(model, digits):
    assert [one.words for one in try_readings(_told(model, stated=[]), digits, lambda _size: digits)] == ["as told"]


def test_an_order_that_was_chosen_and_is_contradicted_is_refused(model, digits):
    turned = torch.arange(10).roll(-1)
    wrong = replace(digits, train=type(digits.train)(digits.train.images, turned[digits.train.labels]))
    with pytest.raises(UsageError, match=r"looks wrong: in natural order the model reads 0\.\d % .*--order given"):
        check_order(model, wrong, "natural")
    with pytest.raises(UsageError, match="put the names in the order of the outputs, in the --classes FILE"):
        check_order(model, wrong, None, named=True)
    assert check_order(model, wrong, "given").doubt()


def test_no_order_is_proposed_from_images_of_one_class(model, digits):
    names = tuple("abcdefghij"[::-1])  # by code point the first is the last
    threes = digits.train.of_classes((3,))
    alone = replace(digits, class_names=names, train=type(threes)(threes.images, torch.full_like(threes.labels, 6)))
    with pytest.raises(UsageError) as refused:
        check_order(model, replace(alone, test=alone.test[:0]), None, named=True)
    assert "--order code_point" not in str(refused.value)
    assert "as output 3" in str(refused.value)
    assert "put the names in the order" in str(refused.value)


def test_small_sizes_are_tried_where_an_assumed_one_reads_much_but_not_nearly_all(model, monkeypatch):
    asked = []

    def at_size(size):
        asked.append(size)
        return load_dataset("digits", image_size=size, channels=model.config.channels)

    small = with_reading(model, image_size=18)
    tried = try_readings(_checkpoint(small, ["image_size"]), at_size(18), at_size)
    assert 40 <= tried[0].accuracy < 90, "else the test asks nothing"
    assert {28, 32, 48, 64} <= set(asked)
    assert tried[1].fields["image_size"] in {28, 32}


def test_two_names_that_changed_places_among_many_are_told_by_the_class_to_forget(model, digits):
    swapped = torch.tensor([0, 1, 2, 8, 4, 5, 6, 7, 3, 9])
    wrong = replace(digits, train=type(digits.train)(digits.train.images, swapped[digits.train.labels]))
    with pytest.raises(UsageError, match=r"of '3' the model reads 0\.0 % as that class, .* as output 8"):
        check_classes(model, wrong, [1, 3], None, named=True)
    check_classes(model, wrong, [1, 2], None, named=True)
    check_classes(model, wrong, [3], "given", named=True)
    check_classes(model, replace(wrong, train=wrong.train[:0], test=wrong.test[:0]), [3], None, named=True)


def test_other_images_among_those_to_forget_are_told_of(model, digits):
    assert check_classes(model, digits, [3, 8], None, named=True) == ()
    train = digits.train
    labels = torch.where((train.labels == 8) & (torch.arange(len(train)) % 3 > 0), 3, train.labels)
    mixed = replace(digits, train=type(train)(train.images, labels), test=digits.test[torch.arange(0)])
    (note,) = check_classes(model, mixed, [3], None, named=True)
    share = float((train.labels == 8)[labels == 3].double().mean())
    assert "images of '3' the model reads " in note
    assert "% as '8': are they all of '3'" in note
    told = [float(figure) for figure in re.findall(r"([\d.]+) %", note)]
    assert told == pytest.approx([100 * (1 - share), 100 * share], abs=12)
