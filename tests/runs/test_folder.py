from __future__ import annotations

import pytest

from zspag_core.errors import UsageError
from zspag_core.runs.folder import check_out, new_folder


def test_a_folder_takes_its_name_only_when_it_is_complete(tmp_path):
    out = tmp_path / "run"
    with new_folder(out) as folder:
        (folder / "a").touch()
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["a"]
    with pytest.raises(IsADirectoryError), new_folder(tmp_path / "other") as folder:
        folder.write_text("a folder is no file")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"), new_folder(tmp_path / "file" / "run"):
        pass


@pytest.mark.parametrize(
    ("record", "held"),
    [
        ('{"stopped": "rule", "after": {}}', "holds a run that is finished already"),
        ('{"stopped": null, "after": {}}', "holds a run that is finished already"),
        ('{"stopped": "cancelled", "after": null}', "holds a run that was interrupted"),
        ('{"mine": 1}', "already holds something"),
        ("[]", "already holds something"),
        ("{", "already holds something"),
    ],
)
def test_a_refused_folder_is_said_to_hold_what_it_holds(tmp_path, record, held):
    (tmp_path / "result.json").write_text(record)
    with pytest.raises(UsageError, match=f"out: expected a new or empty folder, got .*, which {held}$"):
        check_out(tmp_path)
