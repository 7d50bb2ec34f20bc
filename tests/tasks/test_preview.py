from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from tests.asking import job_for
from zspag_core.data import to_pixels
from zspag_core.errors import Cancelled, UsageError
from zspag_core.progress import SILENT, Reporter
from zspag_core.tasks.preview import preview_attack
from zspag_core.tasks.table import find_task


@pytest.fixture
def ask(digits_checkpoint):
    def preview(report=SILENT, *, forget=(3,), **settings):
        config = {"checkpoint": str(digits_checkpoint), "data": "digits", "forget": list(forget), "seed": 0}
        return preview_attack(job_for(config | {"settings": settings}, "cpu"), report)

    return preview


def picture(url):
    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    return torch.from_numpy(np.array(image))[None, None]


def test_without_a_budget_only_what_is_misread_counts(ask, digits_model, small_digits):
    answer = ask(epsilon=0.0)
    generator = torch.Generator().manual_seed(0)
    sample = small_digits.train.of_classes((3,)).sample(64, generator)
    with torch.no_grad():
        read = digits_model(to_pixels(sample.images)).argmax(1)
    assert answer["asr"] == pytest.approx(100 * float((read != 3).double().mean()))
    assert sum(answer["per_class"].values()) == int((read != 3).sum())
    assert (answer["attempted"], answer["linf"], answer["l2"]) == (64, 0.0, 0.0)
    assert all(e["success"] == (e["to"] != 3) for e in answer["examples"])


def test_pictures_are_what_the_numbers_say(ask, digits_model):
    answer = ask(epsilon=0.3)
    assert answer["asr"] > 90
    assert 0.2 < answer["linf"] <= 0.3 + 1e-6
    assert answer["linf"] < answer["l2"]
    assert answer["mean_confidence"] > 0.5
    assert answer["seconds"] > 0
    assert len(answer["examples"]) == 6
    for example in answer["examples"]:
        original, proxy = picture(example["original"]), picture(example["proxy"])
        change = (proxy.float() - original.float()) / 255
        assert float(change.abs().max()) <= 0.3 + 1 / 255
        noise = picture(example["noise"]).float() / 255 - 0.5
        assert float(torch.corrcoef(torch.stack([noise.flatten(), change.flatten()]))[0, 1]) > 0.99
        with torch.no_grad():
            probability = digits_model(to_pixels(proxy)).softmax(1)[0]
        assert example["from"] == 3
        assert int(probability.argmax()) == example["to"]
        assert float(probability[example["to"]]) == pytest.approx(example["confidence"], abs=0.05)


def test_examples_show_different_classes_first(ask):
    answer = ask(epsilon=0.3, forget=(3, 8))
    reached = [example["to"] for example in answer["examples"]]
    assert len(set(reached)) == min(6, len(answer["per_class"]))
    assert not {"3", "8"} & set(answer["per_class"])


def test_a_few_images_are_the_first_of_all(digits_checkpoint):
    config = {"checkpoint": str(digits_checkpoint), "data": "digits", "forget": [3], "settings": {"attack": "fgsm"}}
    few, whole = (preview_attack(job_for(config | more, "cpu")) for more in ({"images": 6}, {"images": 1000}))
    assert (few["attempted"], whole["attempted"]) == (6, 64)
    assert all(whole["per_class"].get(label, 0) >= count for label, count in few["per_class"].items())


@pytest.mark.slow
def test_same_seed_same_answer(ask):
    first, second = (ask(epsilon=0.1, random_start=True) for _ in range(2))
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["fgsm", "cw", "deepfool"])
def test_every_attack_can_be_previewed(ask, attack):
    assert ask(attack=attack, epsilon=0.3, epsilon_l2=3.0)["attempted"] == 64


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epsilon": 7}, "epsilon: expected 0 to 1, got 7"),
        ({"forget": (11,)}, "forget: expected classes 0 to 9, got 11"),
    ],
)
def test_what_cannot_be_done_is_refused(ask, changes, said):
    with pytest.raises(UsageError, match=said):
        ask(**changes)


def test_a_preview_is_cancelled_between_two_steps(ask):
    class Stop(Reporter):
        def progress(self, stage, done, total, **figures):
            if stage == "attack":
                raise Cancelled("stop")

    with pytest.raises(Cancelled):
        ask(Stop(), epsilon=0.3)


def test_the_task_hands_its_config_on(store, digits_checkpoint):
    config = {"checkpoint": str(digits_checkpoint), "data": "digits", "forget": [3], "settings": {"attack": "fgsm"}}
    job = store.submit("preview", config | {"seed": 1}, device="cpu")
    assert find_task("preview")(job, SILENT)["attempted"] == 64
