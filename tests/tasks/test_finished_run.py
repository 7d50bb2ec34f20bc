from __future__ import annotations

import pytest
import torch

from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.errors import UsageError
from zspag_core.files import read_json, write_json
from zspag_core.tasks.finished_run import open_run


def test_both_models_the_data_and_the_arrays_are_there(run_id, home, digits_model, small_digits):
    run = open_run(run_id, "cpu")
    folder = home / "runs" / run_id
    assert (run.folder, run.config.forget) == (folder, (3,))
    after = load_checkpoint(folder / "model.safetensors").model
    pairs = [(run.original, digits_model), (run.unlearned, after)]
    for model, expected in pairs:
        assert all(torch.equal(a, b) for a, b in zip(model.parameters(), expected.parameters(), strict=True))
    assert torch.equal(run.dataset.test.images, small_digits.test.images)
    assert "test.after" in run.arrays("grading")
    assert run.arrays("nothing") == {}
    assert open_run(run_id, "cpu").unlearned is run.unlearned


@pytest.mark.parametrize("name", ["../../etc", "", "UPPER000", "0123456789abcdef/.."])
def test_only_ids_are_looked_up(home, name):
    with pytest.raises(UsageError, match="run: expected the id of a run"):
        open_run(name)


def test_a_run_without_a_model_is_refused(home):
    with pytest.raises(UsageError, match="run: abcdef012345 has left no model"):
        open_run("abcdef012345")


def test_another_model_under_the_old_name_is_refused(run_id, home, digits_config, tmp_path):
    from zspag_core.models import build

    other = tmp_path / "other.safetensors"
    save_checkpoint(other, build(digits_config), {"data": "digits"})
    file = home / "runs" / run_id / "config.json"
    write_json(file, read_json(file) | {"checkpoint": str(other)})
    with pytest.raises(UsageError, match=r"other\.safetensors is another model now"):
        open_run(run_id)
