from __future__ import annotations

import pytest

from tests.test_cli import call


@pytest.mark.parametrize("option", [[], ["--depth"]])
def test_depth_is_measured_where_it_is_asked_for(tmp_path, monkeypatch, option):
    made = []
    monkeypatch.setattr("zspag_core.reproduce.harness.Harness", lambda *_, **given: made.append(given["depth"]))
    monkeypatch.setattr("zspag_core.commands.reproduce._make", lambda *_: 0)
    assert call(["reproduce", "table5", "--out", str(tmp_path / "out"), *option]) == 0
    assert made == [bool(option)]


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (["table9"], "expected one of table1, table2"),
        ([], "TABLE"),
        (["table5", "--scale", "huge"], "--scale: expected one of small, brief, full, got 'huge'"),
        (["table5", "--seeds", "0"], "--seeds: expected a whole number above 0, got '0'"),
        (["table5", "--seeds", "many"], "'many'"),
        (["table5", "--workers", "0"], "--workers: expected a whole number above 0, got '0'"),
        (
            ["table5", "--only", "mnist"],
            "--only: expected one of fashion_mnist-vgg, svhn-vgg, digits-resnet, got 'mnist'",
        ),
        (["table5", "--device", "tpu"], "device: expected auto"),
    ],
)
def test_bad_use_is_answered_with_one_line_and_nothing_is_written(tmp_path, capfd, arguments, culprit):
    out = tmp_path / "out"
    assert call(["reproduce", *arguments, "--out", str(out)]) == 2
    said, error = capfd.readouterr()
    assert said == ""
    assert error.count("\n") == 1
    assert culprit in error
    assert not out.exists()
