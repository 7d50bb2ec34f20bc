"""Classifiers that are not ours: torchvision's, timm's, Hugging Face's, anybody's own class."""

from zspag_core.models.foreign.adapter import ForeignClassifier
from zspag_core.models.foreign.config import ForeignConfig, parse_source

__all__ = ["ForeignClassifier", "ForeignConfig", "parse_source"]
