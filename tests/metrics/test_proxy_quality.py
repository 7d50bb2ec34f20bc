from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from zspag_core.metrics.proxy_quality import captured_energy, captured_energy_of_inputs, coverage, knn_agreement

REAL = torch.tensor([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])
REAL_LABELS = torch.tensor([0, 0, 1, 1, 1, 1])


def test_coverage_counts_every_class():
    assert coverage(torch.tensor([2, 0, 2, 2]), 4) == (1, 0, 3, 0)
    assert coverage(torch.empty(0).long(), 3) == (0, 0, 0)


@pytest.mark.parametrize("labels", [[-1, 0], [0, 4]])
def test_coverage_refuses_labels_out_of_range(labels):
    with pytest.raises(ValueError, match="labels: expected 0 to 3, got"):
        coverage(torch.tensor(labels), 4)


def test_agreement_by_hand():
    proxies = torch.tensor([[0.5], [0.5], [11.0], [11.0]])
    labels = torch.tensor([0, 1, 1, 0])
    assert knn_agreement(proxies, labels, REAL, REAL_LABELS, k=3) == 50.0


def test_half_the_neighbours_are_no_majority():
    assert knn_agreement(torch.tensor([[1.5]]), torch.tensor([0]), REAL, REAL_LABELS, k=2) == 0.0
    assert knn_agreement(torch.tensor([[0.5]]), torch.tensor([0]), REAL, REAL_LABELS, k=2) == 100.0


def test_agreement_against_scikit_learn(monkeypatch):
    monkeypatch.setattr("zspag_core.metrics.proxy_quality.BATCH", 64)
    rng = np.random.default_rng(0)
    labels, real_labels = rng.integers(4, size=150), rng.integers(4, size=300)
    proxies = rng.normal(size=(150, 8)) + np.eye(4, 8)[labels]
    real = rng.normal(size=(300, 8)) + 2 * np.eye(4, 8)[real_labels]
    near = NearestNeighbors(n_neighbors=10).fit(real).kneighbors(proxies, return_distance=False)
    expected = 100 * np.mean((real_labels[near] == labels[:, None]).sum(axis=1) > 5)
    tensors = [torch.from_numpy(part) for part in (proxies, labels, real, real_labels)]
    assert 10 < expected < 90
    assert knn_agreement(*tensors) == pytest.approx(expected)


def test_agreement_with_fewer_real_samples_than_neighbours():
    assert knn_agreement(REAL[:1], torch.tensor([0]), REAL[:3], REAL_LABELS[:3], k=10) == 100.0


def test_agreement_is_undefined_without_samples():
    assert knn_agreement(REAL[:0], REAL_LABELS[:0], REAL, REAL_LABELS) is None
    assert knn_agreement(REAL, REAL_LABELS, REAL[:0], REAL_LABELS[:0]) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((REAL, REAL_LABELS[:2], REAL, REAL_LABELS), "proxies: expected features"),
        ((REAL, REAL_LABELS, REAL[:, 0], REAL_LABELS), "real samples: expected features"),
        ((REAL, REAL_LABELS, REAL.expand(6, 2), REAL_LABELS), "expected 1 dimensions, got 2"),
        ((REAL, REAL_LABELS, REAL, REAL_LABELS, 0), "k: expected 1 or more, got 0"),
    ],
)
def test_agreement_refuses_what_does_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        knn_agreement(*arguments)


def test_energy_by_hand():
    inputs = torch.tensor([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    first, both = torch.eye(3)[:, :1], torch.eye(3)[:, :2]
    assert captured_energy_of_inputs(first, inputs) == pytest.approx(9 / 25)
    assert captured_energy(first, inputs.T @ inputs) == pytest.approx(9 / 25)
    assert captured_energy(both, inputs.T @ inputs) == pytest.approx(1.0)
    assert captured_energy(torch.empty(3, 0), inputs.T @ inputs) == 0.0


def test_energy_of_the_leading_directions_is_the_share_of_the_spectrum():
    inputs = torch.randn(200, 12, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 13)
    _, values, vectors = torch.linalg.svd(inputs, full_matrices=False)
    expected = float((values[:4] ** 2).sum() / (values**2).sum())
    assert captured_energy_of_inputs(vectors[:4].T, inputs) == pytest.approx(expected, rel=1e-5)
    assert captured_energy(vectors[:4].T, inputs.T @ inputs) == pytest.approx(expected, rel=1e-5)


def test_no_energy_is_undefined():
    assert captured_energy(torch.eye(2), torch.zeros(2, 2)) is None
    assert captured_energy_of_inputs(torch.eye(2), torch.zeros(0, 2)) is None


def test_energy_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="basis and gram"):
        captured_energy(torch.eye(3), torch.eye(2))
    with pytest.raises(ValueError, match="basis and inputs"):
        captured_energy_of_inputs(torch.eye(3), torch.zeros(5, 2))
