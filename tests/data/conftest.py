"""Real small pictures, and a home and shared folder that no test shares."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ZSPAG_HOME", str(folder))
    monkeypatch.delenv("ZSPAG_DATA", raising=False)
    return folder


@pytest.fixture(scope="session")
def digit_images():
    """(1797, 8, 8) uint8 and (1797,) int64: scikit-learn's digits at their own size."""
    bunch = load_digits()
    return np.round(bunch.images * 255 / 16).astype(np.uint8), bunch.target.astype(np.int64)


@pytest.fixture(scope="session")
def png():
    """Encodes an array as a PNG file's bytes."""

    def encode(pixels: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return buffer.getvalue()

    return encode
