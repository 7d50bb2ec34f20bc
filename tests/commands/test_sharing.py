from __future__ import annotations

import sys
from pathlib import Path

import pytest

from zspag_core.cli import main
from zspag_core.commands import app, sharing
from zspag_core.commands.sharing import TOLD
from zspag_core.shipped import ROOT
from zspag_core.visitors.classroom import Limits, read_classroom


class Started(Exception):
    """Stands for the process that takes this one's place."""


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Return what was started instead of starting it."""
    seen = {}

    def take(_program, command, environment):
        seen.update(command=command, environment=environment)
        raise Started

    monkeypatch.setattr(app.os, "execve", take)
    monkeypatch.chdir(Path.cwd())  # brought back afterwards
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    monkeypatch.delenv("ZSPAG_SHARE", raising=False)
    return seen


def share(*options):
    with pytest.raises(Started):
        main(["app", "--share", *options])


def option(command, name):
    return [command[place + 1] for place, word in enumerate(command) if word == name]


def test_a_class_gets_an_address_and_codes(started, capsys):
    share("--port", "8600", "--host", "lab.example")
    told, classroom, command = capsys.readouterr().out, read_classroom(), started["command"]
    assert "For the class      http://lab.example:8600" in told
    assert classroom.join in told.replace(" ", "")
    assert classroom.teacher in told.replace(" ", "")
    assert "Without HTTPS" in told
    assert command[:6] == [sys.executable, "-P", "-m", "streamlit", "run", str(ROOT / "class_app.py")]
    assert option(command, "--server.address") == [sharing.EVERYWHERE]
    assert option(command, "--server.allowedHosts") == list(classroom.hosts)
    assert {"lab.example", "localhost", "127.0.0.1"} <= set(classroom.hosts)
    assert started["environment"]["ZSPAG_SHARE"] == "1"
    assert (classroom.limits, classroom.secure) == (Limits(), False)


def test_behind_a_proxy_only_this_machine_is_answered(started, capsys):
    share("--behind", "https://class.example.org", "--waiting", "2", "--disk-mb=50", "--upload-mb=9", "--budget-gb=0")
    classroom, command = read_classroom(), started["command"]
    assert option(command, "--server.address") == ["127.0.0.1"]
    assert (classroom.hosts, classroom.secure) == (("class.example.org",), True)
    assert classroom.limits == Limits(waiting=2, disk_mb=50, upload_mb=9, budget_gb=0)
    told = capsys.readouterr().out
    assert "https://class.example.org\n" in told
    assert f"http://127.0.0.1:{option(command, '--server.port')[0]}" in told


def test_codes_stay_until_new_ones_are_asked_for(started):
    share()
    first = read_classroom()
    share()
    assert read_classroom().join == first.join
    share("--new-codes")
    assert read_classroom().join != first.join


def test_one_person_alone_shares_nothing(started, monkeypatch, tmp_path):
    monkeypatch.setenv("ZSPAG_SHARE", "1")
    with pytest.raises(Started):
        main(["app"])
    assert "ZSPAG_SHARE" not in started["environment"]
    assert started["command"][-1] == str(ROOT / "app.py")
    assert not (tmp_path / "class.json").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--waiting", "3"], "--waiting: expected together with --share, got it alone"),
        (["--share", "--waiting", "0"], "--waiting: expected a whole number from 1 on, got '0'"),
        (["--share", "--disk-mb", "much"], "--disk-mb: expected a whole number from 1 on, got 'much'"),
        (["--share", "--behind", "http://x"], "--behind: expected an address such as https://class.example.org"),
        (["--share", "--behind", "https://x/deep"], "--behind: expected an address such as"),
        (["--share", "--host", "http://x"], "--host: expected the name of a machine, without http:// and port"),
        (["--share", "--teacher", "a@b.c"], "--teacher: expected together with --login"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(options, said, started, capsys, tmp_path):
    assert main(["app", *options]) == 2
    refused = capsys.readouterr().err
    assert said in refused
    assert refused.count("\n") == 1
    assert not started
    assert not (tmp_path / "class.json").exists()


def test_a_login_needs_its_library_and_its_secrets(started, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "authlib" else object())
    assert main(["app", "--share", "--login"]) == 2
    assert "needs Authlib: pip install authlib" in capsys.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("zspag_core.shipped.ROOT", tmp_path / "program")
    monkeypatch.setenv("HOME", str(tmp_path))
    secrets = tmp_path / ".streamlit" / "secrets.toml"

    def write(told):
        secrets.write_text("[auth]\n" + "".join(f'{name} = "{value}"\n' for name, value in told.items()))

    def refused():
        assert main(["app", "--share", "--login"]) == 2
        return capsys.readouterr().err

    assert f"expected {', '.join(TOLD)} in [auth] of {secrets}" in refused()
    secrets.parent.mkdir()
    secrets.write_text("[auth\n")
    assert f"{secrets} cannot be read" in refused()
    told = dict.fromkeys(TOLD, "x") | {"redirect_uri": "http://localhost:8501/oauth2callback"}
    write({name: told[name] for name in TOLD[:3]})
    assert "expected client_secret, server_metadata_url in [auth]" in refused()
    for elsewhere in ("http://elsewhere.org/oauth2callback", "http://localhost:8501/"):
        write(told | {"redirect_uri": elsewhere})
        assert "expected /oauth2callback at " in (said := refused())
        assert f"got '{elsewhere}'" in said
    write(told)
    share("--login", "--teacher", " Ms.N@School.org")
    assert (read_classroom().login, read_classroom().teachers) == (True, ("ms.n@school.org",))
    assert "They log in" in capsys.readouterr().out


def test_a_taken_port_is_passed_over(monkeypatch):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(sharing, "USUAL_PORT", port)
        assert sharing._free_port("127.0.0.1") != port
