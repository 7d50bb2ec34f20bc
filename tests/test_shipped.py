from __future__ import annotations

from pathlib import Path

import pytest

from zspag_core.checkpoints import load_checkpoint
from zspag_core.shipped import CHECKPOINTS, ROOT, model_path, shipped_names


def test_in_a_clone_the_dashboard_lies_beside_the_engine():
    assert Path(__file__).parents[1] == ROOT
    assert (ROOT / "app.py").is_file()
    assert "digits_resnet" in shipped_names()


def test_a_shipped_model_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert model_path(Path("digits_resnet")) == CHECKPOINTS / "digits_resnet.safetensors"
    assert load_checkpoint("digits_resnet").about["data"] == "digits"


@pytest.mark.parametrize("asked", ["digits", "digits_resnet.safetensors", "some/digits_resnet", "./digits_resnet", ""])
def test_anything_else_is_a_path(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = Path(asked) if not asked.startswith("./") else tmp_path / asked
    assert model_path(given) == given


def test_a_file_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("digits_resnet").touch()
    assert model_path(Path("digits_resnet")) == Path("digits_resnet")
