"""The handwritten digits that come with scikit-learn: the default data set, no network."""

from __future__ import annotations

import torch

from zspag_core.data.dataset import DataSet, Split
from zspag_core.data.images import fit_images
from zspag_core.data.split import assemble_unsplit


def load_digits(image_size: int, channels: int) -> DataSet:
    """Return the 1,797 digits of 8x8 pixels, upsampled, with a fixed stratified 80/20 split.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
    """
    from sklearn import datasets

    bunch = datasets.load_digits()
    grey = torch.from_numpy(bunch.images * (255 / 16)).round().to(torch.uint8)  # (1797, 8, 8), from 0..16
    labels = torch.from_numpy(bunch.target).long()
    names = [str(name) for name in bunch.target_names]
    return assemble_unsplit("digits", names, Split(fit_images(grey[:, None], image_size, channels), labels))
