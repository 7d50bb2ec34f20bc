from __future__ import annotations

from ui.model.notes import carried

NAMES = [f"class_{k}" for k in range(10)]


def test_model_that_carries_a_backdoor_says_so(backdoored_checkpoint, tmp_path):
    assert "turns class\\_1 into class\\_8" in carried(backdoored_checkpoint, NAMES)
    assert carried(backdoored_checkpoint, NAMES[:5]) == "", "other data"
    (tmp_path / "foreign.pth").write_bytes(b"x")
    assert carried(tmp_path / "foreign.pth", NAMES) == ""
