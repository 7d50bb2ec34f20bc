from __future__ import annotations

import base64

import pytest

from ui.figures.palette import FORGOTTEN
from ui.playground.state import USUAL
from ui.playground.view import empty_answer, layer_row, legend, plane_data, titles, verdict


def test_what_is_drawn_is_what_was_answered(answer):
    data = plane_data(answer, USUAL | {"epoch": 2})
    for name in ("names", "points", "pseudo", "trails", "frames", "beside"):
        assert data[name] == answer[name]
    assert data["epoch"] == 2
    assert data["colours"][2] == data["forgotten"] == FORGOTTEN
    assert len(set(data["colours"])) == 5
    assert [layer["title"] for layer in data["layers"]] == ["Layer 1", "Layer 2", "Layer 3", "Output layer"]
    assert "class C is to be forgotten" in data["alt"]["left"]
    assert [figure["name"] for figure in data["figures"]] == ["Acc_rt (rest)", "Acc_ut (C)"]


def test_another_epoch_is_no_other_picture_another_knob_is(answer):
    stamps = [plane_data(answer, USUAL | changed)["stamp"] for changed in ({}, {"epoch": 1}, {"epsilon": 0.2})]
    assert stamps[0] == stamps[1] != stamps[2]
    other = answer | {"seconds": {}, "frames": answer["frames"][:1]}
    assert plane_data(other, USUAL)["stamp"] != stamps[0]
    assert plane_data(answer | {"seconds": {}, "recorded": True}, USUAL)["stamp"] == stamps[0]


def test_a_recorded_answer_is_told_from_a_live_one(answer):
    assert plane_data(answer, USUAL)["live"]
    assert not plane_data(answer | {"recorded": True}, USUAL)["live"]


@pytest.mark.parametrize(("attack", "disc"), [("pgd", False), ("fgsm", False), ("cw", True), ("deepfool", True)])
def test_the_reach_of_an_attack_is_a_square_or_a_disc(answer, attack, disc):
    push = plane_data(answer, USUAL | {"attack": attack, "epsilon": 0.2})["push"]
    assert (push["value"], push["disc"]) == (0.2, disc)
    assert push["value"] in push["values"]


def test_nothing_forgotten_or_everything_can_be_drawn(answer):
    for forget in ([], [0, 1, 2, 3, 4]):
        data = plane_data(answer, USUAL | {"forget": forget})
        assert [colour == FORGOTTEN for colour in data["colours"]] == [k in forget for k in range(5)]


def test_only_the_methods_own_directions_are_drawn_as_protected():
    layer = {"name": "hidden.1", "dim": 32, "rank": 7, "fields": ["AA=="]} | {
        "classes": [{"class": 0, "shares": [0.9, 0.1], "kept": 2}]
    }
    rows = {guard: layer_row(1, layer, guard) for guard in ("estimated", "random", "none")}
    assert [row["classes"][0]["kept"] for row in rows.values()] == [2, 0, 0]
    assert rows["estimated"]["note"] == "32 inputs; 7 protected"
    assert rows["random"]["note"] == "32 inputs; at random, 7 protected"
    assert not rows["none"]["full"]
    assert layer_row(0, layer | {"rank": 32}, "estimated")["note"] == "32 inputs; all protected"
    assert layer_row(3, layer | {"name": "head"}, "none")["title"] == "Output layer"


def test_titles_name_what_stands_on_the_left():
    assert titles("retrained", "C")["left"] == "Retrained, never saw C"
    assert titles("mask", "A, B")["left"] == "Mask: output A, B switched off"


def test_the_legend_shows_the_forgotten_colour_and_another():
    drawn = legend([FORGOTTEN, "#123456"], [0])
    assert FORGOTTEN in drawn
    assert "#123456" in drawn
    assert "{" not in drawn


def test_the_verdict_says_how_many_proxies_there_are_and_how_it_ended(answer):
    words = verdict(answer, USUAL)
    assert words.startswith("**ASR 100.0 %** of ")
    assert words.endswith(answer["ended"])
    assert "None for" not in words


def test_the_verdict_warns_of_classes_without_proxies_and_of_harm(answer):
    counts = [0, 5, 0, 3, 0]
    bare = answer | {"proxies": answer["proxies"] | {"per_class": counts}, "notes": ["Steps harmed."]}
    assert "None for A, E]: hardly anything protects them." in verdict(bare, USUAL)
    assert "begun anew with fewer layers" in verdict(bare, USUAL)
    assert "None for" not in verdict(bare, USUAL | {"subspace": "none"})
    one = answer | {"proxies": answer["proxies"] | {"per_class": [0, 5, 0, 3, 2]}}
    assert "None for A]: hardly anything protects it." in verdict(one, USUAL)
    none = answer | {"proxies": answer["proxies"] | {"per_class": [0] * 5}}
    assert "proxies kept: none." in verdict(none, USUAL | {"subspace": "none"})


def test_the_verdict_of_a_refusal_is_its_sentence(answer):
    assert verdict(answer | {"refused": "no proxies: try."}, USUAL).endswith("**Not unlearned.**] No proxies: try.")


def test_an_empty_plane_has_the_visitors_points_and_no_network():
    state = USUAL | {"shape": "own", "classes": 3, "own": "20aff"}
    data = plane_data(empty_answer(state), state)
    assert data["names"] == ["A", "B", "C"]
    assert list(base64.b64decode(data["points"])) == [0x0A, 0xFF, 2]
    assert [frame["acc_rt"] for frame in data["frames"]] == [None]
    assert base64.b64decode(data["beside"]["regions"])[0] % 8 >= 3, "no class's colour"
