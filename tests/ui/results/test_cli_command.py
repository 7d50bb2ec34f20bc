from __future__ import annotations

import shlex

import pytest

from ui.results.cli_command import repeat_line
from zspag_core.shipped import CHECKPOINTS, ROOT

PARAMETERS = [
    {"name": "epsilon", "default": 0.1},
    {"name": "epochs", "default": 2},
    {"name": "stop_rule", "default": True},
    {"name": "reach", "default": None},
]
CONFIG = {"data": "digits", "checkpoint": "a/m.safetensors", "forget": [3]}


def test_defaults_are_not_written(make_record):
    line = repeat_line(CONFIG, make_record(), PARAMETERS, "again")
    assert line == (
        "python -m zspag_core unlearn --data digits --checkpoint a/m.safetensors --forget 3 --device cpu --out again"
    )


def test_everything_else_is_written_and_quoted_for_the_shell(make_record):
    result = make_record(method="posterior", forget=(8, 3)) | {"seed": 7}
    result["config"] = {"epsilon": 32 / 255, "epochs": 2, "stop_rule": False, "reach": 3}
    config = {"data": "my data.zip", "checkpoint": "it's.safetensors", "forget": [8, 3], "relearning": False}
    words = shlex.split(repeat_line(config, result, PARAMETERS, "again"))
    assert words[4:] == [
        "--data", "my data.zip", "--checkpoint", "it's.safetensors", "--forget", "3,8", "--method", "posterior",
        "--set", f"epsilon={32 / 255}", "--set", "stop_rule=false", "--set", "reach=3", "--no-relearning",
        "--seed", "7", "--device", "cpu", "--out", "again",
    ]  # fmt: skip


def test_files_of_the_program_are_named_from_its_folder(make_record):
    shipped = {"checkpoint": str(ROOT / "some" / "m.safetensors"), "data": str(ROOT / "my.zip")}
    words = shlex.split(repeat_line(CONFIG | shipped, make_record(), PARAMETERS, "again"))
    assert words[5] == "my.zip"
    assert words[7] == "some/m.safetensors"


def test_a_shipped_model_is_named_so_that_it_is_found_from_every_folder(make_record):
    shipped = {"checkpoint": str(CHECKPOINTS / "digits_resnet.safetensors")}
    words = shlex.split(repeat_line(CONFIG | shipped, make_record(), PARAMETERS, "again"))
    assert words[7] == "digits_resnet"


@pytest.mark.slow
def test_the_line_makes_the_same_model(digits_checkpoint, tmp_path):
    """Run once as a worker does, then the line as a person does: the bytes agree."""
    import subprocess
    import sys

    from zspag_core.hyperparameters import schema
    from zspag_core.methods import find_method
    from zspag_core.runs.config import RunConfig
    from zspag_core.runs.execute import execute

    settings = {"epochs": 2, "n_adv": 8, "epsilon": 0.2, "stop_rule": False, "attack_steps": 4}
    config = RunConfig("digits", str(digits_checkpoint), (3,), settings=settings, seed=5, relearning=False)
    result = execute(config, tmp_path / "first")
    line = repeat_line(config.to_dict(), result, schema(find_method("zspag")), str(tmp_path / "second one"))
    assert line.count("--set") == len(settings)
    command = [sys.executable, *shlex.split(line)[1:]]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second one"))
    assert first == second
