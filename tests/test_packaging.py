"""What `pip install .` puts where; see pyproject.toml."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.e2e.serving import free_port, wait_until_healthy

ROOT = Path(__file__).parents[1]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="no hatchling: requirements-dev.txt"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built as pip does."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w"]
    subprocess.run([*command, str(folder), str(ROOT)], check=True, capture_output=True)
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder that the wheel is installed in; its dependencies are those of these tests."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def tracked(*folders: str) -> set[str]:
    """Return the files of the repository below some folders."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return {path.relative_to(ROOT).as_posix() for path in found if "__pycache__" not in path.parts}


def test_the_wheel_holds_engine_and_dashboard_under_one_name(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0] for name in names} == {"zspag_core", "zspag-0.1.0.dist-info"}
    inside = {name for name in names if name.startswith("zspag_core/")}
    dashboard = {"app.py", "class_app.py", ".streamlit/config.toml"} | tracked("pages", "ui", "assets")
    assert inside == tracked("zspag_core") | {f"zspag_core/_app/{name}" for name in dashboard}


def test_what_the_wheel_says_of_itself(wheel):
    with zipfile.ZipFile(wheel) as archive:
        about = archive.read("zspag-0.1.0.dist-info/METADATA").decode()
        entry = archive.read("zspag-0.1.0.dist-info/entry_points.txt").decode()
        licence = archive.read("zspag-0.1.0.dist-info/licenses/LICENSE").decode()
    assert entry.split() == ["[console_scripts]", "zspag", "=", "zspag_core.cli:console"]
    assert licence.startswith("MIT License")
    assert "License-Expression: MIT\n" in about
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    needed = [line.split(">")[0].lower() for line in lines if line]
    stated = [line.removeprefix("Requires-Dist: ") for line in about.splitlines() if "Requires-Dist" in line]
    assert sorted(needed) == [re.split("[<>]", line)[0] for line in stated if "extra ==" not in line]
    extras = {
        line.rpartition("== ")[2].strip("'"): re.split(r"[<>\[]", line)[0] for line in stated if "extra ==" in line
    }
    named = {"cluster": "distributed", "hf": "transformers", "mlflow": "mlflow-skinny", "postgres": "psycopg"}
    assert extras == named | {"login": "authlib"}


def test_the_sources_can_be_packed_and_built_again(tmp_path):
    build = "import hatchling.build as b, sys; b.build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    (packed,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        archive.extractall(tmp_path / "again", filter="data")
    assert {
        "app.py",
        "class_app.py",
        "requirements.txt",
        "hatch_build.py",
        "LICENSE",
        ".streamlit/config.toml",
    } <= names
    assert tracked("zspag_core", "pages", "ui", "assets") <= names
    (source,) = (tmp_path / "again").iterdir()
    build = "import hatchling.build as b, sys; b.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=source, check=True, capture_output=True)
    (again,) = tmp_path.glob("*.whl")
    assert "zspag_core/_app/app.py" in zipfile.ZipFile(again).namelist()


def run(installed: Path, *command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user of the installed package does, in a folder of theirs."""
    environment = os.environ | {"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"} | variables
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_program_works_from_an_empty_folder(installed, tmp_path):
    program = str(installed / "bin" / "zspag")
    listed = run(installed, program, "methods", folder=tmp_path)
    assert listed.stdout.startswith("zspag")
    figures = ["--data", "digits", "--checkpoint", "digits_resnet", "--forget", "3", "--device", "cpu"]
    made = run(installed, program, "unlearn", *figures, "--method", "mask", "--out", "run", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "run" / "result.json").is_file()
    refused = run(installed, program, "unlearn", *figures, "--out", "run", folder=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("zspag unlearn: out:")


def test_the_installed_dashboard_opens(installed, tmp_path):
    port, home = free_port(), tmp_path / "home"
    environment = os.environ | {"PYTHONPATH": str(installed), "ZSPAG_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [str(installed / "bin" / "zspag"), "app", "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as process:
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}", process)
        finally:
            process.terminate()
            process.wait(timeout=30)
    page = (
        "from streamlit.testing.v1 import AppTest\n"
        "from zspag_core.shipped import ROOT\n"
        "import sys; sys.path.insert(0, str(ROOT))\n"
        "test = AppTest.from_file(str(ROOT / 'app.py'), default_timeout=60).run()\n"
        "print([b.label for b in test.button], test.exception, ROOT)\n"
    )
    shown = run(
        installed, sys.executable, "-P", "-c", page, folder=tmp_path, ZSPAG_HOME=str(home), ZSPAG_START_WORKER="0"
    )
    assert "Forget the 3s" in shown.stdout, shown.stderr
    assert str(installed / "zspag_core" / "_app") in shown.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_takes_builds_of_torch_without_cuda_where_asked(tmp_path):
    def lines(*words):
        call = ["make", "--dry-run", f"VENV={tmp_path}", "run", *words]
        return subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()

    plain, small = lines(), lines("TORCH=cpu")
    (first,) = [line for line in small if "whl/cpu" in line]
    assert first.endswith("$(grep '^torch' requirements.txt)")
    assert small.index(first) < next(place for place, line in enumerate(small) if line.endswith("-r requirements.txt"))
    assert [line for line in small if line != first] == plain
