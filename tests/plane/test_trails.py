from __future__ import annotations

import pytest
import torch

from zspag_core.data.dataset import to_pixels
from zspag_core.methods.zspag import ZSPAG
from zspag_core.plane.trails import NotingZSPAG, Trails, noting

EPSILON = 0.1


@pytest.fixture
def images(forget):
    return to_pixels(forget.images)


def perturb(attack, network, images):
    targets = torch.full((len(images),), 2)
    return attack.perturb(network, images, targets, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pgd", "fgsm", "cw", "deepfool"])
@pytest.mark.parametrize("confidence", [1.0, 0.9])
def test_a_noting_attack_does_what_the_attack_does(name, confidence, network, images):
    attack = ZSPAG(attack=name, epsilon=EPSILON, epsilon_l2=EPSILON, attack_confidence=confidence).build_attack()
    trails = Trails()
    plain, noted = perturb(attack, network, images), perturb(noting(attack, trails), network, images)
    assert noted.images.equal(plain.images)
    assert noted.reached.equal(plain.reached)
    assert (noted.passes, noted.checks) == (plain.passes, plain.checks)
    (trail,) = trails.ended
    assert trail.places[:, 0].equal(images.flatten(1))
    assert trail.places[:, -1].equal(plain.images.flatten(1))
    assert trail.reached.equal(plain.reached)
    assert (trail.aimed == 2).all()


def test_steps_of_pgd_are_as_long_as_asked_for_and_stay_in_the_square(network, images):
    attack = ZSPAG(epsilon=EPSILON, attack_steps=5, step_size=0.25).build_attack()
    trails = Trails()
    perturb(noting(attack, trails), network, images)
    places = trails.ended[0].places
    assert places.shape[1] == 6
    assert places.diff(dim=1).abs().max() <= 0.25 * EPSILON + 1e-6
    assert (places - places[:, :1]).abs().max() <= EPSILON + 1e-6


def test_batches_of_one_attack_are_numbered_on(network, images):
    attack = ZSPAG(epsilon=EPSILON, attack_steps=3).build_attack()
    whole, parts = Trails(), Trails()
    perturb(noting(attack, whole), network, images)
    from dataclasses import replace

    perturb(noting(replace(attack, batch_size=7), parts), network, images)
    torch.testing.assert_close(parts.ended[0].places, whole.ended[0].places)


def test_the_method_with_notes_has_the_methods_settings():
    noted = NotingZSPAG(attack="fgsm", epsilon=EPSILON)
    plain = ZSPAG(attack="fgsm", epsilon=EPSILON)
    assert noted.build_attack().epsilon == plain.build_attack().epsilon == EPSILON
    assert isinstance(noted.build_attack(), type(plain.build_attack()))
    assert noted.name == "zspag"
