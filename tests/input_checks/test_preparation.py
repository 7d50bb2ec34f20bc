"""Wrong readings are found on labelled images, right ones are let through."""

import pytest

from zspag_core.checkpoints import Checkpoint
from zspag_core.data import load_dataset
from zspag_core.diagnosis import MATCHED
from zspag_core.errors import CheckpointError, UsageError
from zspag_core.input_checks import sample
from zspag_core.input_checks.alternatives import with_reading
from zspag_core.input_checks.preparation import check_reading, try_readings
from zspag_core.input_checks.sample import AskedSample


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    """A quarter of the images that the program asks about; what is looked for here shows in fewer."""
    monkeypatch.setattr(sample, "MANY", 64)
    monkeypatch.setattr(sample, "FEW", 10)  # of 224 pixels


def readings(checkpoint, dataset, at_size):
    return try_readings(checkpoint, AskedSample.about(checkpoint.model, dataset), at_size)


def check(checkpoint, dataset, at_size):
    return check_reading(checkpoint, AskedSample.about(checkpoint.model, dataset), at_size)


def _checkpoint(model, assumed):
    return Checkpoint(model, {"assumed": dict.fromkeys(assumed)}, "")


@pytest.mark.slow
def test_a_wrong_normalisation_is_told_with_both_figures(model, digits):
    shift = 3.0
    wrong = with_reading(model, mean=tuple(m + shift for m in model.config.mean))
    tried = readings(_checkpoint(wrong, ["mean", "std"]), digits, lambda _size: digits)
    assert tried[0].words == "as assumed"
    assert [one.accuracy for one in tried[1:]] == sorted((one.accuracy for one in tried[1:]), reverse=True)
    with pytest.raises(UsageError, match=r"reads \d+\.\d % of 64 labelled images.*--mean .* --std "):
        check(_checkpoint(wrong, ["mean", "std"]), digits, lambda _size: digits)


@pytest.mark.slow
def test_a_right_reading_and_a_stated_one_pass(model, digits):
    assert readings(_checkpoint(model, ["mean", "std"]), digits, lambda _size: digits)[0].accuracy > 95
    for assumed in (["mean", "std"], []):
        assert check(_checkpoint(model, assumed), digits, lambda _size: digits) == ()


def test_no_other_size_is_tried_where_the_model_reads_well(model, digits):
    def at_size(_size):
        raise AssertionError("not needed")

    tried = readings(_checkpoint(model, ["image_size"]), digits, at_size)
    assert [one.words for one in tried] == ["as assumed"]


@pytest.mark.slow
def test_a_size_and_a_normalisation_that_are_right_together_alone_are_found(model):
    sets = {
        size: load_dataset("digits", image_size=size, channels=model.config.channels) for size in (28, 32, 48, 64, 224)
    }
    wrong = with_reading(
        model,
        image_size=224,
        mean=(0.485, 0.456, 0.406)[: model.config.channels],
        std=(0.229, 0.224, 0.225)[: model.config.channels],
    )
    tried = readings(_checkpoint(wrong, ["image_size", "mean", "std"]), sets[224], sets.__getitem__)
    found = [(one.fields.get("image_size"), one.words.rpartition(", ")[2]) for one in tried]
    best = tried[1].fields["image_size"]
    assert sum(size == best for size, _ in found) >= 4, "all normalisations at the best size"
    assert {28, 32, 48, 64} <= {size for size, _ in found}


@pytest.mark.slow
def test_another_size_is_found(model):
    sets = {size: load_dataset("digits", image_size=size, channels=model.config.channels) for size in (32, 64, 224)}
    small = with_reading(model, image_size=224)
    said = rf"of 10 labelled images, .* % of 64 \({MATCHED}\); choose with --image-size 32"
    with pytest.raises(UsageError, match=said):
        check(_checkpoint(small, ["image_size"]), sets[224], sets.__getitem__)


def test_a_reading_that_the_network_does_not_take_is_refused(model):
    with pytest.raises(CheckpointError, match="image_size"):
        with_reading(model, image_size=2)


def _told(model, **about):
    return Checkpoint(model, {"told": {"mean": list(model.config.mean), "std": list(model.config.std)}} | about, "")


@pytest.mark.slow
def test_what_a_file_says_is_doubted_where_little_is_read_with_it(model, digits):
    wrong = with_reading(model, mean=tuple(m + 3.0 for m in model.config.mean))
    with pytest.raises(UsageError, match=r"may say wrongly .*as it says \(mean 3.*choose with --mean"):
        check(_told(wrong, stated=[]), digits, lambda size: load_dataset("digits", image_size=size, channels=1))


@pytest.mark.slow
def test_what_a_person_stated_stands_with_a_note(model, digits):
    wrong = with_reading(model, mean=tuple(m + 3.0 for m in model.config.mean))
    for about in ({"stated": ["mean", "std"]}, {}):  # an older header does not tell who said it
        (note,) = check(_told(wrong, **about), digits, lambda _size: digits)
        assert note.startswith("prepared as stated (mean 3")
        assert "of 64 labelled images, with normalisation: " in note


def test_what_a_file_says_costs_one_look_where_the_model_reads_well(model, digits):
    assert [one.words for one in readings(_told(model, stated=[]), digits, lambda _size: digits)] == ["as told"]


@pytest.mark.slow
def test_small_sizes_are_tried_where_an_assumed_one_reads_much_but_not_nearly_all(model, monkeypatch):
    monkeypatch.setattr(sample, "MANY", 256)  # for a figure that no rounding brings out of its bounds
    asked = []

    def at_size(size):
        asked.append(size)
        return load_dataset("digits", image_size=size, channels=model.config.channels)

    small = with_reading(model, image_size=18)
    tried = readings(_checkpoint(small, ["image_size"]), at_size(18), at_size)
    assert 40 <= tried[0].accuracy < 90, "else the test asks nothing"
    assert {28, 32, 48, 64} <= set(asked)
    assert tried[1].fields["image_size"] in {28, 32}
