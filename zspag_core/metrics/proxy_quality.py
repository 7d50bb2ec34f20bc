"""How good proxies are as stand-ins for real remaining samples, beyond how they look on a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 1024  # proxies compared with all real samples at once


def coverage(labels: Tensor, num_classes: int) -> tuple[int, ...]:
    """Count the proxies of every class; a class with none is unprotected.

    Args:
        labels: (N,) int64, the class that each proxy reached.
        num_classes: number of classes.

    Returns:
        One count per class.

    Raises:
        ValueError: a label is outside [0, num_classes).
    """
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        span = f"{int(labels.min())} to {int(labels.max())}"
        raise ValueError(f"labels: expected 0 to {num_classes - 1}, got {span}")
    return tuple(torch.bincount(labels, minlength=num_classes).tolist())


def knn_agreement(
    proxy_features: Tensor, proxy_labels: Tensor, real_features: Tensor, real_labels: Tensor, k: int = 10
) -> float | None:
    """Compute the share of proxies whose nearest real samples carry the proxy's label.

    A proxy agrees when more than half of its k nearest real samples (Euclidean, in the original model's features) carry
    its label: a plain majority, so that the figure for one class does not depend on how the others are labelled.

    Args:
        proxy_features: (N, D) float.
        proxy_labels: (N,) int64.
        real_features: (M, D) float, of real test images of the remaining classes or of all.
        real_labels: (M,) int64.
        k: neighbours that vote; all M where there are fewer.

    Returns:
        Percent; None without proxies or without real samples.

    Raises:
        ValueError: shapes do not fit or k is not positive.

    Source: the evaluation protocol's section on proxy quality.
    """
    _check_neighbours(proxy_features, proxy_labels, real_features, real_labels, k)
    if not len(proxy_labels) or not len(real_labels):
        return None
    votes = torch.cat(
        [
            real_labels[_nearest(batch, real_features, k)] == labels[:, None]
            for batch, labels in zip(torch.split(proxy_features, BATCH), torch.split(proxy_labels, BATCH), strict=True)
        ]
    )  # (N, k)
    return 100 * float((votes.double().mean(dim=1) > 0.5).double().mean())


def captured_energy(basis: Tensor, gram: Tensor) -> float | None:
    """Compute the share of a layer's input energy that a basis captures, from the inputs' Gram matrix.

    Args:
        basis: (d, r) float with orthonormal columns; r may be 0.
        gram: (d, d) float, the sum of x·xᵀ over real inputs x.

    Returns:
        tr(Sᵀ·G·S) / tr(G), in [0, 1]; None when the inputs have no energy.

    Raises:
        ValueError: shapes do not fit.
    """
    if basis.ndim != 2 or gram.shape != (len(basis), len(basis)):
        shapes = f"{tuple(basis.shape)} and {tuple(gram.shape)}"
        raise ValueError(f"basis and gram: expected shapes (d, r) and (d, d), got {shapes}")
    span, energies = basis.to(gram.device).double(), gram.double()
    return _share((span * (energies @ span)).sum(), energies.trace())


def captured_energy_of_inputs(basis: Tensor, inputs: Tensor) -> float | None:
    """Compute the share of a layer's input energy that a basis captures, from the inputs themselves.

    Args:
        basis: (d, r) float with orthonormal columns; r may be 0.
        inputs: (N, d) float, real inputs of the layer (for a convolution, its patches).

    Returns:
        ‖X·S‖² / ‖X‖², in [0, 1]; None when the inputs have no energy.

    Raises:
        ValueError: shapes do not fit.
    """
    if basis.ndim != 2 or inputs.ndim != 2 or inputs.shape[1] != len(basis):
        shapes = f"{tuple(basis.shape)} and {tuple(inputs.shape)}"
        raise ValueError(f"basis and inputs: expected shapes (d, r) and (N, d), got {shapes}")
    rows = inputs.double()
    return _share((rows @ basis.to(rows.device).double()).square().sum(), rows.square().sum())


def _share(part: Tensor, whole: Tensor) -> float | None:
    """Return part / whole, kept in [0, 1] against rounding; None for an empty whole."""
    return min(1.0, max(0.0, float(part / whole))) if float(whole) > 0 else None


def _nearest(batch: Tensor, real: Tensor, k: int) -> Tensor:
    """Return the positions (n, k) of the nearest real samples of each of n features."""
    distances = torch.cdist(batch.float(), real.float())
    return distances.topk(min(k, len(real)), dim=1, largest=False).indices


def _check_neighbours(proxies: Tensor, proxy_labels: Tensor, real: Tensor, real_labels: Tensor, k: int) -> None:
    """Check the arguments of :func:`knn_agreement`."""
    for name, features, labels in (("proxies", proxies, proxy_labels), ("real samples", real, real_labels)):
        if features.ndim != 2 or labels.shape != features.shape[:1]:
            shapes = f"{tuple(features.shape)} and {tuple(labels.shape)}"
            raise ValueError(f"{name}: expected features (N, D) and labels (N,), got {shapes}")
    if proxies.shape[1] != real.shape[1]:
        raise ValueError(f"real features: expected {proxies.shape[1]} dimensions, got {real.shape[1]}")
    if k < 1:
        raise ValueError(f"k: expected 1 or more, got {k}")
