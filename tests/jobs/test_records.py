from __future__ import annotations

import pytest

from zspag_core.jobs import Lane
from zspag_core.jobs.records import lane_of


@pytest.mark.parametrize(
    ("kind", "config", "lane"),
    [
        ("preview", {"settings": {}}, Lane.INTERACTIVE),
        ("map", {"run": "a", "kind": "pca"}, Lane.INTERACTIVE),
        ("map", {"run": "a", "kind": "umap"}, Lane.MAPS),
    ],
)
def test_what_takes_long_does_not_stand_before_previews(kind, config, lane):
    assert lane_of(kind, config) == lane
