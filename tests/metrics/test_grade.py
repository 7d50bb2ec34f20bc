from __future__ import annotations

import copy
import json

import pytest
import torch

from zspag_core.data import DataSet, Split
from zspag_core.data.images import Images
from zspag_core.errors import UnlearningError
from zspag_core.metrics.accuracy import accuracy, mask_accuracy
from zspag_core.metrics.deep import probe
from zspag_core.metrics.depth.sample import QUICK, draw
from zspag_core.metrics.depth.stages import StageRecorder, stages_of
from zspag_core.metrics.grade import grade
from zspag_core.metrics.membership import confidence_svc, entropy_svc, same_class
from zspag_core.metrics.predictions import LabelledLogits, logits_of, outputs_of
from zspag_core.progress import Reporter


@pytest.fixture(scope="module")
def graded(trained):
    return grade(trained.original, trained.dataset, [3], seed=0)


def groups_by_hand(trained):
    """Digits are few, so that no group is cut and every one can be formed directly."""
    groups = {}
    for name, split in (("train", trained.dataset.train), ("test", trained.dataset.test)):
        for kind, part in (("retain", split.without_classes([3])), ("forget", split.of_classes([3]))):
            groups[kind, name] = LabelledLogits(logits_of(trained.original, part.images), part.labels)
    return groups


def test_keys_are_those_of_the_result_file(graded):
    figures = graded.to_dict()
    assert list(figures) == ["acc_rt", "acc_ut", "loss_rt", "acc_per_class", "mia", "probe"]
    assert list(figures["mia"]) == ["entropy_svc", "confidence_svc", "same_class"]
    assert list(figures["mia"]["same_class"]) == ["accuracy", "auc", "auc_ci"]
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_accuracy_is_that_of_the_whole_test_split(trained, graded):
    test = trained.dataset.test
    logits = logits_of(trained.original, test.images)
    expected = accuracy(logits, test.labels, [3])
    assert graded.accuracy.acc_rt == expected.acc_rt > 90
    assert graded.accuracy.acc_ut == expected.acc_ut > 80
    assert graded.accuracy.acc_per_class == expected.acc_per_class
    assert graded.accuracy.loss_rt == pytest.approx(expected.loss_rt, rel=1e-4)
    assert graded.mask_acc_rt == mask_accuracy(logits, test.labels, [3])
    torch.testing.assert_close(graded.tested.logits, logits, rtol=1e-4, atol=1e-4)
    assert torch.equal(graded.tested.labels, test.labels)


def test_groups_hold_the_right_samples(trained, graded):
    for (kind, name), group in groups_by_hand(trained).items():
        found = getattr(graded.scores, f"{kind}_{name}")
        assert len(found) == len(group)
        assert found.labels.bincount().tolist() == group.labels.bincount().tolist()
        torch.testing.assert_close(found.loss.sort().values, group.loss.sort().values, rtol=1e-3, atol=1e-5)


def test_membership_figures_are_those_of_the_groups(graded):
    scores = graded.scores
    parts = scores.retain_train, scores.retain_test, scores.forget_train
    assert graded.membership.entropy_svc == entropy_svc(*parts, seed=0)
    assert graded.membership.confidence_svc == confidence_svc(*parts, seed=0)
    assert graded.membership.same_class == same_class(scores.forget_train, scores.forget_test, seed=0)


def test_probe_is_near_one_on_all_training_images(trained, graded):
    data = trained.dataset
    train, test = (outputs_of(trained.original, split.images).features for split in (data.train, data.test))
    assert graded.probe == pytest.approx(probe(train, data.train.labels, test, data.test.labels, [3], 0), abs=3)


@pytest.mark.slow
def test_the_masked_model_gets_the_reference_and_the_same_probe(trained, masked, graded):
    after = grade(masked, trained.dataset, [3], seed=0)
    assert after.accuracy.acc_ut == 0.0
    assert after.accuracy.acc_rt == after.mask_acc_rt == graded.mask_acc_rt
    assert after.probe == graded.probe
    assert after.membership.confidence_svc >= 90.0
    assert after.membership.same_class.auc == 50.0
    json.dumps(after.to_dict(), allow_nan=False)


@pytest.mark.slow
def test_same_seed_same_figures_and_the_model_is_left_alone(trained, graded):
    model = trained.original
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    try:
        again = grade(model, trained.dataset, (3,), seed=0, device=torch.device("cpu"))
        assert model.training
    finally:
        model.eval()
    assert again.to_dict() == graded.to_dict()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.slow
def test_shallow_grade_has_no_probe(trained, graded):
    shallow = grade(trained.original, trained.dataset, [3], seed=0, deep=False)
    assert shallow.to_dict() == {**graded.to_dict(), "probe": None}


class Noise(torch.nn.Module):
    """Stands in for a classifier: features are the pixels."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.head = torch.nn.Linear(4, classes)
        self.seen = 0

    def embed(self, images):
        self.seen += len(images)
        return images.flatten(1)

    def both(self, images):
        features = self.embed(images)
        return features, self.head(features)

    def forward(self, images):
        return self.head(images.flatten(1))


def noise(train: int, test: int, classes: int) -> DataSet:
    generator = torch.Generator().manual_seed(0)
    splits = [
        Split(
            torch.randint(low, low + 50, (count, 1, 2, 2), dtype=torch.uint8, generator=generator),
            torch.randint(classes, (count,), generator=generator),
        )
        for count, low in ((train, 200), (test, 0))  # apart, which the attacks fit quickly
    ]
    return DataSet("noise", tuple(map(str, range(classes))), *splits)


@pytest.mark.slow
def test_one_pass_over_no_more_images_than_needed():
    data, model = noise(60_000, 3000, 5), Noise(5)
    figures = grade(model, data, [0], seed=0)
    assert len(figures.scores.forget_train) == 2000
    assert len(figures.scores.retain_train) == 2000
    assert 3000 + 2000 + 2400 <= model.seen <= 3000 + 2000 + 2000 + 2400
    shares = figures.scores.retain_train.labels.bincount(minlength=5)[1:]
    assert shares.sum() == 2000
    assert shares.min() > 430  # a uniform draw, not a balanced one: about 500 of each
    assert figures.probe is not None


@pytest.mark.slow
def test_progress_counts_every_image(trained):
    class Heard(Reporter):
        last = None

        def progress(self, stage, done, total, **figures):
            self.last = (stage, done, total)

    report = Heard()
    grade(trained.original, trained.dataset, [3], seed=0, deep=False, report=report)
    everything = len(trained.dataset.train) + len(trained.dataset.test)
    assert report.last == ("evaluate", everything, everything)


def test_nothing_to_forget_leaves_the_figures_undefined(trained):
    figures = grade(trained.original, trained.dataset, [], seed=0).to_dict()
    assert figures["acc_ut"] is figures["probe"] is figures["mia"]["entropy_svc"] is None
    assert figures["acc_rt"] > 90


def test_classes_out_of_range_are_refused(trained):
    with pytest.raises(ValueError, match="forget classes: expected 0 to 9, got 10"):
        grade(trained.original, trained.dataset, [10], seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_model_that_diverged_is_refused_in_one_sentence(trained, value):
    model = copy.deepcopy(trained.original)
    with torch.no_grad():
        model.head.bias[1] = value
    with pytest.raises(UnlearningError, match="cannot be graded: expected numbers"):
        grade(model, trained.dataset, [3], seed=0)
    with torch.no_grad():
        model.head.bias[1] = 0
        model.stem[0].weight[0] = torch.nan
    with pytest.raises(UnlearningError, match="cannot be graded"):
        grade(model, trained.dataset, [3], seed=0)


class Counted:
    """Makes the images of a tensor and remembers how many at once."""

    def __init__(self, images):
        self.images, self.made = images, []

    def __len__(self):
        return len(self.images)

    def take(self, rows):
        self.made.append(len(rows))
        return self.images[rows]


@pytest.mark.slow
def test_images_made_late_get_the_same_figures_and_few_are_made_at_once(trained):
    data, sources = trained.dataset, []

    def late(split):
        _, channels, side, _ = split.images.shape
        sources.append(Counted(split.images))
        return Split(Images(sources[-1], torch.arange(len(split)), channels, side), split.labels)

    one = grade(trained.original, data, [3], seed=0)
    two = grade(trained.original, DataSet(data.name, data.class_names, late(data.train), late(data.test)), [3], seed=0)
    assert one.to_dict() == two.to_dict()
    assert torch.equal(one.tested.logits, two.tested.logits)
    assert max(max(source.made) for source in sources) <= 128
    assert sum(sources[1].made) == len(data.test)


@pytest.mark.parametrize("classes", [[3], [0, 8]])
@pytest.mark.parametrize("seed", [0, 5])
def test_the_same_pass_serves_the_measures_of_depth(classes, seed, trained):
    sample = draw(trained.dataset, classes, QUICK, seed)
    plain = grade(trained.original, trained.dataset, classes, seed=seed)
    found = grade(trained.original, trained.dataset, classes, seed=seed, stages=True)
    assert plain.stages is None
    assert found.to_dict() == plain.to_dict()
    alone = stages_of(trained.original, sample.images, dtype=torch.float32)
    assert found.stages.names == alone.names
    for one, two in zip(found.stages.features, alone.features, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one.double(), two, rtol=1e-4, atol=1e-5)


def test_a_stage_without_numbers_costs_depth_and_not_the_grade(trained, monkeypatch):
    def refuse(*_, **__):
        raise UnlearningError("depth: expected numbers as features, got NaN")

    monkeypatch.setattr(StageRecorder, "recorded", refuse)
    found = grade(trained.original, trained.dataset, [3], seed=0, stages=True)
    assert found.stages is None
    assert found.accuracy.acc_rt > 90
