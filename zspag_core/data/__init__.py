"""Data sets by name or path, as two splits of uint8 images."""

from zspag_core.data.dataset import DataSet, Split, to_pixels
from zspag_core.data.sources import DATASETS, load_dataset

__all__ = ["DATASETS", "DataSet", "Split", "load_dataset", "to_pixels"]
