"""Where what ships beside the engine lies: the dashboard, its models and its pictures."""

from __future__ import annotations

from pathlib import Path

ENGINE = Path(__file__).resolve().parent
INSTALLED = ENGINE / "_app"
ROOT = INSTALLED if INSTALLED.is_dir() else ENGINE.parent
"""The folder of `app.py`: inside the package where a wheel was installed, beside it in a clone."""

ASSETS = ROOT / "assets"
CHECKPOINTS, ORIGINALS = ASSETS / "checkpoints", ASSETS / "originals"
"""Models for everybody, and models that only tables need: trained anew on another processor they would be others."""
REFERENCES = ASSETS / "references"
"""What sixteen models each, trained as a shipped one on random halves of its images, say of all of them."""
DEMO_DATA, DEMO_MODEL, DEMO_CLASS = "digits", CHECKPOINTS / "digits_resnet_16.safetensors", 3
"""The run that one click starts: the model of small digits forgets the threes."""
LESSON_MODEL = CHECKPOINTS / "digits_resnet.safetensors"
"""What the lessons' runs begin from: what they teach shows best there."""


def shipped_names() -> list[str]:
    """Return the names of the models for everybody."""
    return sorted(path.stem for path in CHECKPOINTS.glob("*.safetensors"))


def model_path(asked: Path) -> Path:
    """Return the file of a model that is given by its path or, where no such file is here, by a shipped model's name.

    Args:
        asked: such as `mine.safetensors` or `digits_resnet`.

    Returns:
        `asked` as it is where it means no shipped model.
    """
    if asked.name == str(asked) and asked.name in shipped_names() and not asked.exists():
        return CHECKPOINTS / f"{asked.name}.safetensors"
    return asked
