"""A worker of short tasks gets ready: it has looked into the demo's data."""

from __future__ import annotations

import pytest

from zspag_core.tasks import warm_up as module
from zspag_core.tasks.warm_up import warm_up_short_tasks


@pytest.mark.parametrize("there", [True, False])
def test_short_tasks_have_looked_into_the_demos_data_once(digits_checkpoint, monkeypatch, tmp_path, there):
    looked = []
    monkeypatch.setattr("zspag_core.tasks.inspect_data.describe_class", lambda data, label: looked.append(label))
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "DEMO_MODEL", digits_checkpoint if there else tmp_path / "gone.safetensors")
    warm_up_short_tasks()
    assert looked == (list(range(10)) if there else [])
