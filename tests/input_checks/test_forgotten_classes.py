import re
from dataclasses import replace

import pytest
import torch

from zspag_core.errors import UsageError
from zspag_core.input_checks.forgotten_classes import check_classes
from zspag_core.input_checks.sample import AskedSample


def check(model, dataset, *classes_and_chosen, **how):
    return check_classes(AskedSample.about(model, dataset), *classes_and_chosen, **how)


@pytest.mark.slow
def test_two_names_that_changed_places_among_many_are_told_by_the_class_to_forget(model, digits):
    swapped = torch.tensor([0, 1, 2, 8, 4, 5, 6, 7, 3, 9])
    wrong = replace(digits, train=type(digits.train)(digits.train.images, swapped[digits.train.labels]))
    with pytest.raises(UsageError, match=r"of '3' the model reads 0\.0 % as that class, .* as output 8"):
        check(model, wrong, [1, 3], None, named=True)
    check(model, wrong, [1, 2], None, named=True)
    check(model, wrong, [3], "given", named=True)
    check(model, replace(wrong, train=wrong.train[:0], test=wrong.test[:0]), [3], None, named=True)


def test_other_images_among_those_to_forget_are_told_of(model, digits):
    assert check(model, digits, [3, 8], None, named=True) == ()
    train = digits.train
    labels = torch.where((train.labels == 8) & (torch.arange(len(train)) % 3 > 0), 3, train.labels)
    mixed = replace(digits, train=type(train)(train.images, labels), test=digits.test[torch.arange(0)])
    (note,) = check(model, mixed, [3], None, named=True)
    share = float((train.labels == 8)[labels == 3].double().mean())
    assert "images of '3' the model reads " in note
    assert "% as '8': are they all of '3'" in note
    told = [float(figure) for figure in re.findall(r"([\d.]+) %", note)]
    assert told == pytest.approx([100 * (1 - share), 100 * share], abs=12)
