"""What one file from outside brings: no line of this project is edited for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from zspag_core import plugins
from zspag_core.attacks.catalogue import AttackEntry, attack_entries
from zspag_core.errors import UsageError
from zspag_core.methods.catalogue import MethodEntry, method_entries
from zspag_core.plugins import PLUGINS, from_outside, load_class, use_files

PLUGIN = Path(__file__).with_name("plugin.py")
ROOT = Path(__file__).parents[1]


@pytest.fixture
def forgotten(monkeypatch):
    """Read the catalogues anew, before and after."""
    monkeypatch.delenv(PLUGINS, raising=False)
    for cached in (method_entries, attack_entries):
        cached.cache_clear()
    yield
    for cached in (method_entries, attack_entries):
        cached.cache_clear()


def written(tmp_path, text):
    file = tmp_path / "mine.py"
    file.write_text(text)
    return str(file)


def call(*words, file=PLUGIN):
    command = [sys.executable, "-W", "ignore", "-m", "zspag_core", "--plugin", str(file), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)


@pytest.mark.slow
def test_a_method_from_outside_is_listed_with_its_settings():
    done = call("methods", "--json")
    (found,) = (one for one in json.loads(done.stdout) if one["name"] == "lower")
    assert (found["title"], found["needs_retain"]) == ("Lower the bias", False)
    assert [one["name"] for one in found["parameters"]] == ["amount"]
    (attack,) = (
        p for m in json.loads(done.stdout) if m["name"] == "zspag" for p in m["parameters"] if p["name"] == "attack"
    )
    assert attack["choices"] == ["pgd", "fgsm", "cw", "deepfool", "pgd_l"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [["--method", "lower"], ["--set", "attack=pgd_l", "--set", "n_adv=5", "--set", "epochs=1"]],
    ids=["method", "attack"],
)
def test_what_comes_from_outside_unlearns(asked, digits_checkpoint, tmp_path):
    request = ["--data", "digits", "--checkpoint", str(digits_checkpoint), "--forget", "3", "--device", "cpu"]
    done = call("unlearn", *request, *asked, "--no-relearning", "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    if "lower" in asked:
        assert (result["method"], result["after"]["acc_ut"]) == ("lower", 0.0)
    else:
        assert result["config"]["attack"] == "pgd_l"


@pytest.mark.slow
def test_forms_cards_and_tables_know_a_method_from_outside():
    """In a process of its own, as the dashboard and its worker are started: the variable names the file."""
    code = """
from ui.forget.form_params import method_entries
from ui.shell.methods import method_name, method_summary
from ui.shell.words import choice_label
from zspag_core.tasks.describe import describe_engine
from zspag_core.reproduce.rows import rivals
from zspag_core.reproduce.scale import SMALL
engine = describe_engine()
assert "lower" in [method["name"] for method in engine["methods"]]
assert engine["attacks"]["pgd_l"] == ["epsilon", "cw_searches"]
assert method_name({"method": "lower"}) == "Lower"
assert method_summary("lower") == "Takes a constant off the forgotten outputs."
assert choice_label("pgd_l") == "PGD, long"
assert {row.key for row in rivals(SMALL)} >= {"lower", "lower_tuned"}
"""
    environment = os.environ | {PLUGINS: str(PLUGIN)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 / 0", r"plug-in .*mine\.py: ZeroDivisionError: division by zero"),
        ("X = 1", r"plug-in .*mine\.py: expected a list METHODS or ATTACKS, found neither"),
        ("METHODS = [3]", r"plug-in mine\.py: expected MethodEntry records in zspag\.methods, got 3"),
        (
            "from zspag_core.methods.catalogue import BUILT_IN\nMETHODS = [BUILT_IN[0]]",
            "there is a method 'zspag' already",
        ),
    ],
)
def test_a_faulty_file_is_refused_in_one_sentence(text, said, tmp_path, forgotten, monkeypatch):
    monkeypatch.setenv(PLUGINS, written(tmp_path, text))
    plugins._load.cache_clear()
    with pytest.raises(UsageError, match=said):
        method_entries()


def test_an_attack_whose_key_is_taken_is_refused(tmp_path, forgotten, monkeypatch):
    text = "from zspag_core.attacks.catalogue import BUILT_IN\nATTACKS = BUILT_IN"
    monkeypatch.setenv(PLUGINS, written(tmp_path, text))
    plugins._load.cache_clear()
    with pytest.raises(UsageError, match="there is an attack 'pgd' already"):
        attack_entries()


def test_the_command_line_refuses_a_file_that_is_not_there():
    done = call("methods", file="nowhere.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "zspag_core methods: --plugin: expected a Python file, got nowhere.py\n"


def test_files_are_added_to_those_of_the_variable(tmp_path, monkeypatch):
    one, two = (tmp_path / name for name in ("one.py", "two.py"))
    one.touch()
    two.touch()
    monkeypatch.setenv(PLUGINS, str(one))
    use_files([])
    assert os.environ[PLUGINS] == str(one)
    use_files([str(two), str(one)])
    assert os.environ[PLUGINS] == os.pathsep.join(map(str, (one, two)))


def points(monkeypatch, value):
    point = EntryPoint("mine", value, "zspag.methods")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == "zspag.methods" else [])


def test_entry_points_of_installed_packages_are_read(forgotten, monkeypatch):
    points(monkeypatch, "tests.plugin:METHODS")
    assert method_entries()["lower"].load().name == "lower"
    assert from_outside("zspag.attacks", AttackEntry) == []


@pytest.mark.parametrize("value", ["no_such_module:METHODS", "tests.plugin:NOTHING"])
def test_an_entry_point_that_cannot_be_loaded_is_named(value, forgotten, monkeypatch):
    points(monkeypatch, value)
    with pytest.raises(UsageError, match=f"plug-in {value}: "):
        method_entries()


def test_a_program_is_a_class_or_named(tmp_path, monkeypatch):
    assert load_class(dict, dict, "x") is dict
    assert load_class("pathlib:Path", Path, "x") is Path
    for program in ("zspag_core.plugins:nothing", "no_such_module:x", "zspag_core.no_such_module:x"):
        with pytest.raises(UsageError, match=f"plug-in {program}: expected module:name"):
            load_class(program, Path, "x")


def test_what_a_program_itself_lacks_is_not_taken_for_its_absence(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import not_installed_here")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="not_installed_here"):
        load_class("half_there:Method", Path, "x")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"program": "zspag_core.plugins:use_files"}, "method mine: expected a subclass of Method, got <function"),
        ({}, "method mine: expected name 'mine' in its class, got 'mask'"),
        ({"key": "mask", "needs_retain": True}, "method mask: expected needs_retain True in its class, got False"),
    ],
)
def test_a_record_that_contradicts_its_class_is_refused(changes, said):
    facts = {"key": "mine", "program": "zspag_core.methods.mask:Mask", "title": "", "short": "", "summary": ""}
    with pytest.raises(UsageError, match=said):
        MethodEntry(**facts | changes).load()
