from __future__ import annotations

import math

import pytest

from zspag_core.reproduce.cells import Cells


@pytest.fixture
def make():
    class Make:
        calls = 0

        def __call__(self):
            self.calls += 1
            return {"acc_rt": 90.0, "nothing": math.nan}

    return Make()


def test_a_cell_is_made_once(tmp_path, make):
    for _ in range(2):
        value = Cells(tmp_path / "cells").once("a b/c", {"seed": 0, "classes": (1, 2)}, make)
    assert make.calls == 1
    assert value == {"acc_rt": 90.0, "nothing": None}
    assert [path.name[:6] for path in (tmp_path / "cells").iterdir()] == ["a_b_c-"]


def test_another_identity_is_another_cell(tmp_path, make):
    cells = Cells(tmp_path)
    for seed in (0, 1, 0):
        cells.once("a", {"seed": seed}, make)
    assert (make.calls, cells.made, cells.found) == (2, 2, 1)


@pytest.mark.parametrize("text", ["", "[]", '{"identity": {"seed": 1}, "value": 1}', '{"identity": {}}'])
def test_a_file_that_is_not_this_cell_is_made_anew(tmp_path, make, text):
    cells = Cells(tmp_path)
    cells.once("a", {"seed": 0}, make)
    (file,) = tmp_path.iterdir()
    file.write_text(text)
    assert cells.once("a", {"seed": 0}, make)["acc_rt"] == 90.0
    assert make.calls == 2
