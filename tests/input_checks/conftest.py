import pytest

from zspag_core.checkpoints import load_checkpoint
from zspag_core.data import load_dataset


@pytest.fixture(scope="package")
def model():
    """The shipped model: it reads every digit, and its images are of another size than digits are."""
    return load_checkpoint("digits_resnet").model


@pytest.fixture(scope="package")
def digits(model):
    return load_dataset("digits", image_size=model.config.image_size, channels=model.config.channels)
