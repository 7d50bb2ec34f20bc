from __future__ import annotations

import json

from zspag_core.cli import main
from zspag_core.methods import describe_methods
from zspag_core.methods.catalogue import method_entries


def test_the_schema_is_printed_as_json(capsys):
    assert main(["methods", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(describe_methods()))


def test_the_text_names_every_method_setting_and_preset(capsys):
    assert main(["methods"]) == 0
    text = capsys.readouterr().out
    for key, entry in method_entries().items():
        assert f"{key}: {entry.title}" in text
    assert "retrain: Retrain (needs remaining data)" in text
    assert "epsilon = " in text
    assert "(float, pixel range, min 0, max 1)" in text
    assert "(pgd, " in text
    for name in method_entries()["zspag"].presets:
        assert f'--preset "{name}"' in text
