from __future__ import annotations

import shutil

from ui.shell.checkpoints import shipped_checkpoints
from ui.shell.class_names import names_of
from zspag_core.shipped import CHECKPOINTS

CONFIG = {"checkpoint": "/gone.safetensors", "forget": [1], "class_names": ["frog"]}


def test_names_come_from_the_models_file():
    for path in shipped_checkpoints():
        assert names_of(CONFIG | {"checkpoint": str(path), "class_names": None}, 10)[9] in {"9", "truck", "Ankle boot"}


def test_without_it_the_run_and_numbers_help_out():
    assert names_of(CONFIG, 3) == ("0", "frog", "2")


def test_a_runs_own_model_keeps_the_names_when_the_original_is_gone(tmp_path):
    assert names_of(CONFIG, 3, tmp_path) == ("0", "frog", "2")
    shutil.copy(CHECKPOINTS / "cifar10_vit.safetensors", tmp_path / "model.safetensors")
    assert names_of(CONFIG, 10, tmp_path)[9] == "truck"
