"""Wrong orders of the classes are found on labelled images, right ones are let through."""

from dataclasses import replace

import pytest
import torch

from zspag_core.errors import UsageError
from zspag_core.input_checks.class_order import check_order, try_orders
from zspag_core.input_checks.sample import AskedSample


def check(model, dataset, *chosen, **how):
    return check_order(AskedSample.about(model, dataset), *chosen, **how)


@pytest.mark.slow
def test_orders_are_told_apart(model, digits):
    names = tuple(str(k + 1) for k in range(10))  # 1 … 10: as a person counts, and as the model's outputs are
    counted = replace(digits, class_names=names)
    assert check(model, counted, None).taken > 95
    by_code = sorted(range(10), key=lambda k: names[k])  # the class that stands at each place
    place = torch.tensor([by_code.index(k) for k in range(10)])
    wrong = replace(
        digits,
        class_names=tuple(names[k] for k in by_code),
        train=type(digits.train)(digits.train.images, place[digits.train.labels]),
    )
    with pytest.raises(UsageError, match=r"natural order \d+\.\d %; choose with --order natural"):
        check(model, wrong, None)
    assert check(model, wrong, "given").taken < 50


@pytest.mark.slow
def test_an_order_that_nobody_knows_is_found_by_matching(model, digits):
    turned = torch.tensor([3, 4, 5, 6, 7, 8, 9, 0, 1, 2])
    wrong = replace(digits, train=type(digits.train)(digits.train.images, turned[digits.train.labels]))
    with pytest.raises(UsageError, match="--classes FILE"):
        check(model, wrong, None)
    figures = try_orders(AskedSample.about(model, wrong))
    assert figures.best > 95 > figures.taken
    assert figures.matching == {int(turned[k]): k for k in range(10)}


@pytest.mark.slow
def test_images_of_one_class_are_enough_to_doubt(model, digits):
    fours = digits.train.of_classes((4,))
    wrong = replace(digits, train=type(fours)(fours.images, torch.full_like(fours.labels, 7)))
    said = r"or how the images are prepared: of \d+ images of '7' .* as output 4, '4'; first.* name the outputs"
    with pytest.raises(UsageError, match=said):
        check(model, wrong, None)
    with pytest.raises(
        UsageError, match=r"prepared \(image size 224 was assumed: state --image-size, --mean and --std\)"
    ):
        check(model, wrong, None, "image size 224")
    assert check(model, replace(digits, train=fours), None).taken > 95


@pytest.mark.slow
def test_an_order_that_was_chosen_and_is_contradicted_is_refused(model, digits):
    turned = torch.arange(10).roll(-1)
    wrong = replace(digits, train=type(digits.train)(digits.train.images, turned[digits.train.labels]))
    with pytest.raises(UsageError, match=r"looks wrong: in natural order the model reads 0\.\d % .*--order given"):
        check(model, wrong, "natural")
    with pytest.raises(UsageError, match="put the names in the order of the outputs, in the --classes FILE"):
        check(model, wrong, None, named=True)
    assert check(model, wrong, "given").doubt()


def test_no_order_is_proposed_from_images_of_one_class(model, digits):
    names = tuple("abcdefghij"[::-1])  # by code point the first is the last
    threes = digits.train.of_classes((3,))
    alone = replace(digits, class_names=names, train=type(threes)(threes.images, torch.full_like(threes.labels, 6)))
    with pytest.raises(UsageError) as refused:
        check(model, replace(alone, test=alone.test[:0]), None, named=True)
    assert "--order code_point" not in str(refused.value)
    assert "as output 3" in str(refused.value)
    assert "put the names in the order" in str(refused.value)
