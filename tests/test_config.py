"""What the README promises of the server that `make run` starts."""

from __future__ import annotations

import tomllib

from tests.e2e.serving import ROOT


def test_server_keeps_to_itself_and_to_its_work():
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["server"]["address"] == "127.0.0.1"
    assert config["browser"]["gatherUsageStats"] is False
    assert config["server"]["fileWatcherType"] == "none", "it would watch all of .venv, and never rest"
    assert config["runner"]["postScriptGC"] is False, "a class of thirty waited for it two thirds of the time"
