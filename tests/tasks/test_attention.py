from __future__ import annotations

import pytest
import torch

from tests.asking import job_for
from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.data import to_pixels
from zspag_core.errors import UsageError
from zspag_core.explain.gradcam import attention
from zspag_core.metrics.predictions import logits_of
from zspag_core.progress import SILENT
from zspag_core.tasks.attention import compare_attention, list_samples
from zspag_core.tasks.table import find_task


@pytest.fixture
def models(run_id, home, digits_model):
    return digits_model, load_checkpoint(home / "runs" / run_id / "model.safetensors").model


def ask(run, index=(0, 5), **changes):
    return compare_attention(
        job_for({"run": run, "index": list(index), "layer": None, "target": "own"} | changes, "cpu")
    )


@pytest.mark.slow
def test_samples_come_in_turn_of_the_classes(run_id, small_digits):
    labels = small_digits.test.labels
    remaining = list_samples(job_for({"run": run_id, "kind": "remaining", "count": 12}, "cpu"))["images"]
    assert [image["label"] for image in remaining] == [0, 1, 2, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    assert all(image["label"] == labels[image["index"]] for image in remaining)
    assert len({image["index"] for image in remaining}) == 12
    assert remaining[0]["index"] == int((labels == 0).nonzero()[0])
    assert remaining[0]["picture"].startswith("data:image/png;base64,")
    forgotten = list_samples(job_for({"run": run_id, "kind": "forgotten", "count": 48}, "cpu"))["images"]
    assert {image["label"] for image in forgotten} == {3}
    assert len(forgotten) == min(48, int((labels == 3).sum()))


@pytest.mark.parametrize("graded", [True, False])
def test_changed_samples_are_those_that_the_models_read_differently(run_id, home, models, small_digits, graded):
    if not graded:
        (home / "runs" / run_id / "grading.safetensors").unlink()
    before, after = (logits_of(model, small_digits.test.images).argmax(1) for model in models)
    changed = {int(place) for place in (before != after).nonzero()}
    found = [
        image["index"]
        for image in list_samples(job_for({"run": run_id, "kind": "changed", "count": 48}, "cpu"))["images"]
    ]
    assert set(found) == changed if len(changed) <= 48 else set(found) < changed
    labels = small_digits.test.labels[found]
    first = (labels == 3).nonzero().flatten().tolist()
    assert first == list(range(len(labels) - len(first), len(labels))), "remaining classes come first"


@pytest.mark.parametrize(("kind", "count"), [("nice", 3), ("remaining", 0), ("remaining", 49)])
def test_samples_that_cannot_be_listed_are_refused(run_id, kind, count):
    with pytest.raises(UsageError, match="samples: expected 1 to 48 of forgotten, remaining, changed"):
        list_samples(job_for({"run": run_id, "kind": kind, "count": count}, "cpu"))


@pytest.mark.parametrize("target", ["own", "predicted"])
def test_maps_and_probabilities_are_those_of_each_model(run_id, models, small_digits, target):
    index = [0, 5, int((small_digits.test.labels == 3).nonzero()[0])]
    answer = ask(run_id, index, target=target, layer="stage 2")
    assert (answer["layer"], answer["layers"]) == ("stage 2", ["stage 1", "stage 2"])
    pixels, labels = to_pixels(small_digits.test.images[index]), small_digits.test.labels[index]
    for when, model in zip(("before", "after"), models, strict=True):
        with torch.no_grad():
            probabilities = model(pixels).softmax(1)
        targets = labels if target == "own" else probabilities.argmax(1)
        maps = attention(model, pixels, targets, "stage 2").maps
        for row, image in enumerate(answer["images"]):
            assert (image["index"], image["label"]) == (index[row], int(labels[row]))
            assert image["own"][when] == pytest.approx(float(probabilities[row, labels[row]]), abs=1e-5)
            k, sure = image["predicted"][when]
            assert k == int(probabilities[row].argmax())
            assert sure == pytest.approx(float(probabilities[row].max()), abs=1e-5)
            torch.testing.assert_close(torch.tensor(image[f"map_{when}"]), maps[row], rtol=1e-3, atol=1e-6)


def test_similarity_is_the_mean_correlation_by_hand(run_id, models, small_digits):
    answer = ask(run_id, layer="stage 1")
    generator = torch.Generator().manual_seed(0)
    sample = small_digits.test.without_classes((3,)).sample(64, generator)
    before, after = (
        attention(model, to_pixels(sample.images), sample.labels, "stage 1").maps.flatten(1) for model in models
    )
    pairs = [torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(before, after, strict=True)]
    defined = torch.stack([value for value in pairs if value.isfinite()])
    assert answer["similarity"]["remaining"] == pytest.approx(float(defined.mean()), abs=1e-3)
    assert answer["empty"]["remaining"] == pytest.approx(100 * float((after.amax(1) == 0).float().mean()))
    assert answer["kept"]["remaining"] == pytest.approx(100 * float(after.sum() / before.sum()), abs=1e-3)
    assert -1 <= answer["similarity"]["forgotten"] <= 1
    assert ask(run_id, layer="stage 1") == answer


@pytest.mark.slow
def test_a_transformer_is_compared_too(home, run_id, small_vit, tmp_path, digits_checkpoint):
    from zspag_core.runs.config import RunConfig
    from zspag_core.runs.execute import execute

    path, run = tmp_path / "vit.safetensors", "f" * 24
    save_checkpoint(path, small_vit, {"data": "digits"})
    config = RunConfig("digits", str(path), (3,), "posterior", {"epochs": 1}, device="cpu", relearning=False)
    execute(config, home / "runs" / run)
    answer = ask(run)
    assert answer["layers"] == ["block 1", "block 2"]
    assert torch.tensor(answer["images"][0]["map_after"]).shape == (2, 2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layer": "roof"}, "layer: expected one of stage 1, stage 2, got 'roof'"),
        ({"target": "any"}, "target: expected one of own, predicted, got 'any'"),
        ({"index": [360]}, "index: expected 1 to 48 positions from 0 to 358, got .360."),
        ({"index": [-1]}, "index: expected"),
        ({"index": []}, "index: expected"),
    ],
)
def test_what_cannot_be_compared_is_refused(run_id, changes, said):
    with pytest.raises(UsageError, match=said):
        ask(run_id, **changes)


def test_the_tasks_hand_their_config_on(store, run_id):
    config = {"run": run_id, "kind": "remaining", "count": 2}
    assert len(find_task("samples")(store.submit("samples", config), SILENT)["images"]) == 2
    config = {"run": run_id, "index": [1], "layer": None, "target": "own"}
    assert find_task("attention")(store.submit("attention", config), SILENT)["images"][0]["index"] == 1
