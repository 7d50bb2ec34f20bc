from __future__ import annotations

from types import SimpleNamespace

import pytest

from ui.shell.data_picker import known_data, together


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        (["a.zip"], ["a.zip"]),
        (["wrong.txt", "a.zip"], ["a.zip"]),
        (["a.zip", "b.npz"], ["b.npz"]),
        (["a.parquet", "wrong.txt", "b.PARQUET"], ["a.parquet", "b.PARQUET"]),
    ],
)
def test_the_newest_file_counts_or_all_parts_of_a_set(names, meant):
    assert [file.name for file in together([SimpleNamespace(name=name) for name in names])] == meant


def test_names_of_data_sets_come_with_those_of_the_shared_folder(home, tmp_path, monkeypatch):
    assert known_data() == ["digits", "cifar10", "cifar100", "svhn", "fashion_mnist"]
    for name in ("cifar10", "birds", ".hidden"):
        (tmp_path / "shared" / name).mkdir(parents=True)
    (tmp_path / "shared" / "flowers.npz").touch()
    (tmp_path / "shared" / "README.md").touch()
    monkeypatch.setenv("ZSPAG_DATA", str(tmp_path / "shared"))
    assert known_data()[5:] == ["birds", "flowers"]
