from __future__ import annotations

import pytest
import torch

from zspag_core import proxies
from zspag_core.attacks.base import Attacked
from zspag_core.attacks.catalogue import attack_entries
from zspag_core.data import Split, to_pixels
from zspag_core.errors import Cancelled
from zspag_core.hyperparameters import configure
from zspag_core.metrics.predictions import logits_of
from zspag_core.progress import Reporter
from zspag_core.proxies import TRIES_PER_PROXY, generate_proxies
from zspag_core.pseudo_labels import barred_labels

CLASSES = 4


class Scripted:
    """An attack whose outcome is fixed: samples listed in `fail` stay where they are, all others reach the target."""

    def __init__(self, fail=(), reach=None, confidence=0.9):
        self.fail, self.reach, self.confidence, self.calls = set(fail), reach or {}, confidence, []

    def perturb(self, model, images, targets, *, generator, report):
        index = (images[:, 0, 0, 0] * 255).round().long()
        self.calls.append(list(zip(index.tolist(), targets.tolist(), strict=True)))
        reached = torch.tensor([
            0 if i in self.fail else self.reach.get(i, t) for i, t in self.calls[-1]
        ])  # fmt: skip
        report.progress("attack", len(index), len(index))
        count = len(index)
        return Attacked(images, reached, torch.full((count,), self.confidence), reached == targets, 2 * count, count)


class Nothing(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))


def samples(count: int) -> Split:
    """Images whose first pixel is their own number, all of class 0."""
    images = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).clone()
    return Split(images, torch.zeros(count, dtype=torch.int64))


def hunt(attack, second_best, *, n_adv, fill=0.0, logits=None, report=None, seed=0, classes=(0,), own=None):
    if logits is None:
        logits = torch.full((len(second_best), CLASSES), -5.0)
        logits[torch.arange(len(second_best)), torch.tensor(second_best)] = 1.0
        logits[:, 0] = 9.0
    labels = torch.zeros(len(logits), dtype=torch.int64) if own is None else torch.tensor(own)
    return generate_proxies(
        Nothing(), samples(len(logits)), logits, barred_labels(labels, classes, CLASSES), attack,
        n_adv=n_adv, fill=fill, generator=torch.Generator().manual_seed(seed), report=report or Reporter(),
    )  # fmt: skip


def attacked(attack) -> list[int]:
    return [index for call in attack.calls for index, _ in call]


def test_only_as_many_samples_are_attacked_as_quotas_need():
    attack = Scripted()
    found = hunt(attack, [1] * 30 + [2] * 20 + [3] * 2, n_adv=5)
    assert found.per_class(CLASSES) == [0, 5, 5, 2]
    assert found.attempted == len(attacked(attack)) == 12
    assert len(set(attacked(attack))) == 12
    assert found.passes == 24
    assert found.asr == 100.0


def test_every_sample_is_aimed_at_its_best_class_that_is_not_forgotten():
    logits = torch.randn(20, CLASSES, generator=torch.Generator().manual_seed(0))
    attack = Scripted()
    hunt(attack, None, n_adv=50, logits=logits, classes=(0, 2))
    targets = dict(pair for call in attack.calls for pair in call)
    assert targets == {i: max((1, 3), key=lambda k: float(row[k])) for i, row in enumerate(logits)}


def test_no_sample_is_aimed_at_or_kept_as_what_it_was_trained_as():
    own = [0, 1] * 10  # every second sample was trained as the class that all are nearest to
    attack = Scripted(reach={3: 1, 5: 2})
    found = hunt(attack, [1] * 20, n_adv=20, fill=1.0, own=own)
    targets = {(index, target) for call in attack.calls for index, target in call}
    assert not {(index, target) for index, target in targets if own[index] == target}
    assert {own[i] for i, label in zip(found.sources.tolist(), found.labels.tolist(), strict=True) if label == 1} == {0}
    assert 5 in found.sources.tolist()
    assert 3 not in found.sources.tolist()


def test_failures_are_replaced_while_there_are_samples():
    attack = Scripted(fail=range(0, 30, 2))
    found = hunt(attack, [1] * 30, n_adv=12)
    assert found.per_class(CLASSES)[1] == 12
    assert not set(found.sources.tolist()) & attack.fail
    assert found.attempted == len(attacked(attack))
    assert 12 < found.attempted <= 30
    assert found.asr == pytest.approx(100 * 12 / found.attempted)


def test_proxies_carry_the_class_that_was_reached_and_their_source():
    found = hunt(Scripted(reach={4: 3, 7: 3}), [1] * 10, n_adv=10)
    by_source = dict(zip(found.sources.tolist(), found.labels.tolist(), strict=True))
    assert by_source == {i: 3 if i in {4, 7} else 1 for i in range(10)}
    assert (found.images[:, 0, 0, 0] * 255).round().long().tolist() == found.sources.tolist()
    assert found.labels.tolist() == sorted(found.labels.tolist())


def test_a_class_never_gets_more_than_its_quota():
    found = hunt(Scripted(reach=dict.fromkeys(range(20), 3)), [1] * 20 + [3] * 10, n_adv=6)
    assert found.per_class(CLASSES)[3] == 6


def test_all_failures_give_no_proxies_and_no_error():
    found = hunt(Scripted(fail=range(9)), [1] * 9, n_adv=3)
    assert len(found) == 0
    assert found.images.shape == (0, 1, 2, 2)
    assert found.asr == 0.0
    assert found.attempted == 9
    assert found.per_class(CLASSES) == [0] * 4


def test_outputs_that_were_not_numbers_are_no_proxies():
    assert len(hunt(Scripted(confidence=0.0), [1] * 5, n_adv=3)) == 0


def test_balanced_coverage_fills_up_from_the_nearest_samples():
    logits = torch.full((30, CLASSES), 0.0)
    logits[:, 0], logits[:, 1] = 9.0, 5.0  # every sample is nearest to class 1
    logits[:, 2] = torch.arange(30) / 10.0
    logits[:, 3] = -torch.arange(30) / 10.0
    attack = Scripted()
    found = hunt(attack, None, n_adv=4, fill=1.0, logits=logits)
    assert found.per_class(CLASSES) == [0, 4, 4, 4]
    aimed = {k: [i for call in attack.calls for i, t in call if t == k] for k in (2, 3)}
    assert aimed == {2: [29, 28, 27, 26], 3: [0, 1, 2, 3]}
    assert hunt(Scripted(), None, n_adv=4, logits=logits).per_class(CLASSES) == [0, 4, 0, 0]


def test_balanced_coverage_gives_up_after_some_tries():
    logits = torch.zeros(30, CLASSES)
    logits[:, 0], logits[:, 1] = 9.0, 5.0

    class Stubborn(Scripted):
        def perturb(self, model, images, targets, **rest):
            outcome = super().perturb(model, images, targets, **rest)
            outcome.reached[targets != 1] = 0
            return outcome

    attack = Stubborn()
    found = hunt(attack, None, n_adv=4, fill=1.0, logits=logits)
    assert found.per_class(CLASSES) == [0, 4, 0, 0]
    assert found.attempted == 4 + 2 * TRIES_PER_PROXY * 4


def test_the_seed_decides_who_is_attacked():
    def sources(seed):
        return hunt(Scripted(), [1] * 30, n_adv=5, seed=seed).sources.tolist()

    assert sources(0) == sources(0)
    assert sources(0) != sources(1)


def test_progress_grows_and_cancelling_passes_through():
    class Steps(Reporter):
        def __init__(self):
            self.seen = []

        def progress(self, stage, done, total, **_figures):
            assert stage == "proxies"
            assert done <= total
            self.seen.append(done)
            if done >= 12:
                raise Cancelled("stop")

    report = Steps()
    with pytest.raises(Cancelled):
        hunt(Scripted(fail=range(30)), [1] * 30, n_adv=6, report=report)
    assert report.seen == [6, 12]


@pytest.mark.parametrize("name", ["pgd", "fgsm"])
def test_real_proxies_are_what_they_say(digits_model, small_digits, name, state_of, assert_untouched):
    before = state_of(digits_model)
    forget = small_digits.train.of_classes((3, 8))
    attack = configure(attack_entries()[name].load(), {"epsilon": 0.3})
    found = generate_proxies(
        digits_model, forget, logits_of(digits_model, forget.images), barred_labels(forget.labels, (3, 8), 10),
        attack, n_adv=6,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert len(found) > 10
    with torch.no_grad():
        probabilities = digits_model(found.images).softmax(1)
    assert torch.equal(probabilities.argmax(1), found.labels)
    targets = logits_of(digits_model, forget.images[found.sources])
    targets[:, [3, 8]] = -torch.inf
    aimed = probabilities.gather(1, targets.argmax(1)[:, None]).squeeze(1)
    torch.testing.assert_close(aimed, found.confidence, atol=1e-4, rtol=0)
    assert not set(found.labels.tolist()) & {3, 8}
    assert max(found.per_class(10)) <= 6
    distance = (found.images - to_pixels(forget.images[found.sources])).abs()
    assert float(distance.max()) <= 0.3 + 1e-6
    assert_untouched(digits_model, before)


def test_very_many_proxies_are_kept_in_half_precision(monkeypatch):
    whole = hunt(Scripted(), [1] * 30, n_adv=5)
    monkeypatch.setattr(proxies, "HELD_BYTES", 5 * 3 * 4 * 4 - 1)
    half = hunt(Scripted(), [1] * 30, n_adv=5)
    assert (whole.images.dtype, half.images.dtype) == (torch.float32, torch.float16)
    assert torch.equal(half.images, whole.images.half())
    assert torch.equal(half.labels, whole.labels)


def test_proxies_beyond_a_quota_are_not_held(monkeypatch):
    held = []
    collect = proxies._Hunt.collect

    def look(self):
        held.append(sum(len(part[0]) for part in self.found))
        return collect(self)

    monkeypatch.setattr(proxies._Hunt, "collect", look)
    found = hunt(Scripted(reach=dict.fromkeys(range(20), 3)), [1] * 20 + [3] * 10, n_adv=6)
    assert held == [len(found)]
