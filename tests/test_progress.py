from __future__ import annotations

from torch import nn

from zspag_core.progress import SILENT, Reporter


def test_the_base_ignores_everything():
    model = nn.Linear(1, 1)
    assert SILENT.progress("stage", 1, 2, loss=0.5) is None
    assert SILENT.epoch(1, 2, model, loss=0.5) is None
    assert type(SILENT) is Reporter
