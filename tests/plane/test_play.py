from __future__ import annotations

import base64

import pytest
import torch

from zspag_core.errors import UsageError
from zspag_core.hyperparameters import configure
from zspag_core.methods.zspag import ZSPAG
from zspag_core.plane.packing import PROXY, SPARE, STAYED, packed
from zspag_core.plane.play import MOST_FRAMES, Playground, shown_epochs
from zspag_core.plane.question import Question
from zspag_core.plane.seen import Onlooker
from zspag_core.runs.context import RunContext

ASKED = [
    {},
    {"subspace": "none", "stop_rule": False},
    {"subspace": "random", "label_mode": "random"},
    {"attack": "deepfool", "epsilon_l2": 0.12, "label_mode": "influence_anchored", "cg_steps": 3},
]


@pytest.fixture(scope="module")
def playground():
    return Playground()


def unpacked(text):
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)


def without_clock(answer):
    return {name: part for name, part in answer.items() if name != "seconds"}


@pytest.mark.slow
@pytest.mark.parametrize("settings", ASKED)
def test_the_answer_is_what_the_ordinary_method_makes_of_the_same_model_and_points(
    settings, playground, asked, network, points, forget, generator
):
    question = asked(**settings)
    answer = playground.answer(question)
    run = configure(ZSPAG, question.settings).unlearn(network, forget, (1,), RunContext(generator))
    look = Onlooker(points.test, [1]).look(run.model)
    last = answer["frames"][-1]
    assert last["regions"] == packed(look.regions)
    assert (last["acc_rt"], last["acc_ut"]) == (look.acc_rt, look.acc_ut)
    assert [row["loss"] for row in run.history] == [frame["loss"] for frame in answer["frames"][1:]]
    assert answer["proxies"]["per_class"] == run.proxies.per_class(4)
    assert unpacked(answer["pseudo"]).tolist() == (run.labels.labels * 255).round().byte().flatten().tolist()
    assert [layer["rank"] for layer in answer["layers"]] == [part.rank for part in run.subspace.layers.values()]


@pytest.mark.slow
def test_the_same_question_has_the_same_answer_with_and_without_what_is_remembered(playground, asked):
    first = playground.answer(asked())
    playground.answer(asked(energy=0.5))
    assert without_clock(playground.answer(asked())) == without_clock(first)
    assert without_clock(Playground().answer(asked())) == without_clock(first)


@pytest.mark.slow
def test_what_is_remembered_of_earlier_questions_is_let_go(asked, monkeypatch):
    monkeypatch.setattr("zspag_core.plane.play.MOST_STAGES", 0)
    playground = Playground()
    first = playground.answer(asked())
    assert without_clock(playground.answer(asked())) == without_clock(first)


@pytest.mark.slow
def test_ways_end_at_the_proxies_or_where_nothing_was_crossed(playground, asked):
    trails = playground.answer(asked())["trails"]
    reached, fate = unpacked(trails["reached"]), unpacked(trails["fate"])
    answer = playground.answer(asked())
    assert int((fate == PROXY).sum()) == sum(answer["proxies"]["per_class"])
    assert len(fate) == answer["proxies"]["attempted"]
    assert set(reached[fate == STAYED].tolist()) <= {1}
    assert 1 not in reached[(fate == PROXY) | (fate == SPARE)]
    assert len(base64.b64decode(trails["places"])) == len(fate) * trails["steps"] * 4


def test_the_first_layer_of_two_inputs_is_full_and_keeps_no_gradient(playground, asked):
    answer = playground.answer(asked())
    assert (answer["layers"][0]["dim"], answer["layers"][0]["rank"]) == (2, 2)
    kept, removed = answer["frames"][0]["parts"][0]
    assert kept == pytest.approx(0, abs=1e-5 * removed)


def test_without_any_proxy_the_sentence_and_the_ways_are_there(playground, asked):
    answer = playground.answer(asked(epsilon=0.0))
    assert answer["refused"].startswith("no proxies: no forget sample crossed")
    assert [frame["epoch"] for frame in answer["frames"]] == [0]
    assert set(unpacked(answer["trails"]["fate"]).tolist()) == {STAYED}
    assert answer["proxies"] is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (Question(shape="rings", classes=4, forget=()), "nothing is to be forgotten"),
        (Question(shape="rings", classes=4, forget=(0, 1, 2, 3), beside="mask"), "every class is to be forgotten"),
        (
            Question(shape="own", classes=3, forget=(2,), own=((1, 1, 0), (1, 9, 0), (99, 99, 1))),
            "class C has no points to forget",
        ),
    ],
)
def test_what_cannot_be_forgotten_is_said_beside_the_network_as_it_is(question, sentence, playground):
    answer = playground.answer(question)
    assert answer["refused"].startswith(sentence)
    assert len(answer["frames"]) == 1
    assert answer["beside"]["regions"] == answer["frames"][0]["regions"]


def test_a_setting_out_of_range_is_refused(playground, asked):
    with pytest.raises(UsageError, match="energy: expected"):
        playground.answer(asked(energy=2.0))


@pytest.mark.slow
def test_beside_stand_the_original_the_retrained_or_the_masked_network(playground, asked):
    looks = {beside: playground.answer(asked(beside=beside))["beside"] for beside in ("original", "retrained", "mask")}
    assert looks["original"]["acc_ut"] > 90
    for beside in ("retrained", "mask"):
        assert looks[beside]["acc_ut"] == 0
        assert 1 not in unpacked(looks[beside]["regions"]) % 8


def test_how_it_ended_is_said(playground, asked):
    assert playground.answer(asked(stop_rule=False))["ended"] == ""
    assert "epoch" in playground.answer(asked())["ended"]


@pytest.mark.parametrize(("count", "shown"), [(1, [0]), (4, [0, 1, 2, 3])])
def test_few_epochs_are_all_shown(count, shown):
    assert shown_epochs(count) == shown


def test_of_many_epochs_the_first_and_the_last_are_shown():
    shown = shown_epochs(61)
    assert len(shown) == len(set(shown)) == MOST_FRAMES
    assert (shown[0], shown[-1]) == (0, 60)
    assert shown == sorted(shown)
