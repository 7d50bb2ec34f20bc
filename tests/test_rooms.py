"""How the rooms hang together: no module imports another that imports it, for types or otherwise."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "measurements" / "rooms.py"


@pytest.fixture(scope="module")
def rooms():
    spec = importlib.util.spec_from_file_location("rooms", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_no_module_imports_one_that_imports_it(rooms):
    circles = [sorted(group) for group in rooms.components(rooms.imports(rooms.ROOT)) if len(group) > 1]
    assert circles == []


def test_a_circle_is_found_also_one_for_types_alone(rooms, tmp_path):
    for package in rooms.PACKAGES:
        (tmp_path / package).mkdir()
    (tmp_path / "app.py").write_text("import ui.one\n")
    (tmp_path / "ui" / "one.py").write_text("def late():\n    from ui import two\n")
    (tmp_path / "ui" / "two.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ui.one\n")
    found = rooms.imports(tmp_path)
    assert found == {"app": {"ui.one"}, "ui.one": {"ui.two"}, "ui.two": {"ui.one"}}
    assert {"ui.one", "ui.two"} in rooms.components(found)
    assert rooms.imports(tmp_path, types=False)["ui.two"] == set()
    assert rooms.reached(found, "app") == set(found)


@pytest.mark.slow
def test_pages_and_forms_need_no_engine(rooms):
    """What a page imports itself is light; a worker has torch."""
    found = rooms.imports(rooms.ROOT, types=False)
    assert "zspag_core.methods.zspag" not in rooms.reached(found, "ui.shell.methods")


SHARED = {"shell", "figures", "scatter"}
"""Rooms of ui/ that every other may use; figures and the map's component rest on none of the pages' rooms either."""


def outside_its_room(found, alone=SHARED):
    """Return the imports that lead from a page or its room into another page's, as {(from, to)}."""

    def room(name):
        return name.split(".")[1] if (name.startswith("ui.") and name.count(".") > 1) or name == "ui.scatter" else ""

    own = {page: {room(to) for to in found[page]} - alone - {""} for page in found if page.startswith("pages.")}
    wrong = {(page, ", ".join(sorted(rooms))) for page, rooms in own.items() if len(rooms) > 1}
    for name, imported in found.items():
        if room(name):
            wrong |= {(name, to) for to in imported if room(to) not in alone | {room(name), ""}}
    return wrong


@pytest.mark.slow
def test_no_page_draws_on_another_pages_room(rooms):
    """Imports for types alone count: who reads one page needs to know its own room, shell and figures."""
    assert outside_its_room(rooms.imports(rooms.ROOT)) == set()


def test_a_way_into_another_room_is_found():
    found = {"ui.shell.a": {"ui.learn.b"}, "ui.learn.b": {"ui.learn.c", "ui.figures.d"}, "pages.1_A": {"ui.learn.b"}}
    assert outside_its_room(found) == {("ui.shell.a", "ui.learn.b")}
    assert outside_its_room({"pages.1_A": {"ui.learn.b", "ui.tune.c", "ui.shell.d"}}) == {("pages.1_A", "learn, tune")}
