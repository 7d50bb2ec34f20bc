from __future__ import annotations

import copy

import pytest

from ui.results.reference import Reference
from ui.results.summary import cards, standing_of, steps_text, tell
from zspag_core.jobs import State


@pytest.fixture
def retrained(make_job, make_record):
    """A reference of two retrained models."""
    jobs = []
    for number, probe in ((4, 60.0), (5, 64.0)):
        answer = make_record(method="retrain")
        answer["after"] |= {"probe": probe, "relearning": {"steps": 24, "reached": True}}
        jobs.append(make_job(number=number, state=State.DONE, answer=answer))
    return Reference(tuple(jobs))


def plain(texts):
    return " ".join(texts).replace("\N{NO-BREAK SPACE}", " ")


def test_story_says_forgotten_cost_and_depth(make_view):
    said = plain(tell(make_view(), Reference()))
    assert ":orange[**3**] is forgotten: 97.0 % of the test images were read right, now 0.0 %." in said
    assert "stand at 98.4 % (+0.4): 0.2 points more than blocking" in said
    assert "finds the class in 95.0 % of its images (before 96.0 %): the answer is gone" in said
    assert "the answer is gone, the last features tell it hardly less." in said


@pytest.mark.parametrize(
    ("left", "forget", "verdict"),
    [(5.0, (3,), "is forgotten"), (9.0, (3,), "is mostly forgotten"), (60.0, (3,), "is not forgotten"),
     (0.0, (3, 5), "are forgotten")],
)  # fmt: skip
def test_verdict_depends_on_what_is_left(make_view, left, forget, verdict):
    view = make_view(forget=forget)
    view.result["after"]["acc_ut"] = left
    assert verdict in tell(view, Reference())[0]


def test_a_class_that_the_original_hardly_read_is_no_success(make_view, retrained):
    view = make_view()
    view.result["before"]["acc_ut"], view.result["after"]["acc_ut"] = 4.0, 0.0
    said = plain(tell(view, retrained))
    assert (
        "The original hardly read :orange[**3**]: 4.0 % of the test images, now 0.0 %. So the accuracy cannot" in said
    )
    assert "is forgotten" not in said
    assert "the answer is gone" not in said


@pytest.mark.parametrize(
    ("probe", "verdict"),
    [
        (95.0, "(before 96.0 %, retrained 60.0 to 64.0 %): the answer is gone, the knowledge is not."),
        (80.0, "(before 96.0 %, retrained 60.0 to 64.0 %): the answer is gone, the knowledge is only in part."),
        (66.0, "hardly more than in a model that never saw it."),
        (64.04, "as much as in a model that never saw it."),
        (60.0, "as much as in a model that never saw it."),
        (30.0, "less than in a model that never saw it."),
    ],
)
def test_depth_is_measured_by_a_retrained_model(make_view, retrained, probe, verdict):
    view = make_view()
    view.result["after"]["probe"] = probe
    assert plain(tell(view, retrained)).endswith(verdict)


@pytest.mark.parametrize(
    ("then", "now", "verdict"),
    [
        (66.0, 66.0, "and so did the original, so here the probe cannot tell."),
        (66.9, 58.0, "and so did the original, so here the probe cannot tell."),
        (66.0, 75.0, "the answer is gone, the knowledge is not."),
        (40.0, 40.0, "less than in a model that never saw it."),
        (67.2, 66.0, "hardly more than in a model that never saw it."),
    ],
)
def test_depth_is_not_judged_where_the_original_reads_like_a_retrained_model(make_view, retrained, then, now, verdict):
    view = make_view()
    view.result["before"]["probe"], view.result["after"]["probe"] = then, now
    assert plain(tell(view, retrained)).endswith(verdict)


def test_without_a_reference_only_the_change_is_told(make_view):
    view = make_view()
    view.result["after"]["probe"] = 70.0
    assert "the answer is gone, the last features lost some of it too." in plain(tell(view, Reference()))


def test_depth_is_not_judged_while_the_answer_is_still_there(make_view, retrained):
    view = make_view()
    view.result["after"]["acc_ut"] = 60.0
    assert plain(tell(view, retrained)).endswith("in 95.0 % of its images (before 96.0 %).")


def test_retrained_model_is_the_measure_itself(make_view, retrained):
    said = plain(tell(make_view(method="retrain"), retrained))
    assert "this model never saw them" in said
    assert "knowledge" not in said


def test_story_without_what_is_unknown(make_view):
    view = make_view()
    view.result["after"] |= {"acc_ut": None, "probe": None}
    view.result["mask"] = None
    said = tell(view, Reference())
    assert "no test images" in said[0]
    assert said[1].endswith("(+0.4).")
    assert len(said) == 2


def test_equal_to_the_mask_is_said_so(make_view):
    view = make_view()
    view.result["mask"] = {"acc_rt": view.result["after"]["acc_rt"]}
    assert "just what blocking the forgotten outputs" in tell(view, Reference())[1]


def test_stopped_run_tells_what_was_last_seen(make_view):
    view = make_view(cancelled=True)
    assert plain(tell(view, Reference())) == (
        "The run was stopped after epoch 2 and not graded again. What was last seen while it ran: "
        "remaining classes 98.0 %, forgotten classes 20.0 %."
    )
    view.result["history"] = []
    assert "before an epoch had ended" in tell(view, Reference())[0]


def test_cards_carry_value_change_and_reference(make_view, retrained):
    found = {card.title: card for card in cards(make_view(), retrained)}
    assert list(found) == ["Remaining accuracy", "Forgotten accuracy", "Probe", "Relearning", "Membership · entropy"]
    notes = {title: card.note.replace("\N{NO-BREAK SPACE}", " ") for title, card in found.items()}
    assert found["Remaining accuracy"].change == "+0.4 points"
    assert notes["Remaining accuracy"] == "Mask alone gives 98.2 %; lead +0.2."
    assert notes["Probe"] == "Inside: lower is deeper. Retrain: 60.0 to 64.0 %."
    assert notes["Relearning"] == "0.50 of Retrain's steps (Anamnesis Index, 1 is ideal)."
    assert found["Relearning"].change == "+8 steps"
    told = make_view()
    told.result["after"]["relearning"]["acc_rt"] = 1.25
    (note,) = (card.note for card in cards(told, Reference()) if card.title == "Relearning")
    after = "Inside: more steps are deeper. Remaining classes after these steps: "
    assert plain([note]) == f"{after}1.2 %: nearly all is read as the forgotten class."
    told.result["after"]["relearning"]["acc_rt"] = 90
    (note,) = (card.note for card in cards(told, Reference()) if card.title == "Relearning")
    assert plain([note]) == f"{after}90.0 %."
    assert found["Forgotten accuracy"].change == "−97.0 points"
    colours = [card.colour for card in found.values()]
    assert colours == ["green", "green", "green", "green", "off"], "less is better of the second and third"
    assert notes["Membership · entropy"] == "Best: what Retrain has. Retrain: 46.0 %."
    assert all("Good:" in card.help for card in found.values())


def test_cards_of_a_stopped_run_show_the_last_epoch(make_view):
    found = {
        card.title: card.value.replace("\N{NO-BREAK SPACE}", " ")
        for card in cards(make_view(cancelled=True), Reference())
    }
    assert found["Forgotten accuracy"] == "20.0 %"
    assert found["Probe"] == found["Membership · entropy"] == found["Relearning"] == "–"


def test_cards_of_an_older_run_without_relearning(make_view):
    view = make_view()
    del view.result["after"]["relearning"], view.result["before"]["relearning"]
    assert (
        next(card for card in cards(view, Reference()) if card.title == "Relearning").note
        == "Not measured in this run."
    )


def test_standing_has_a_band_where_there_is_a_reference(make_view, retrained):
    view = make_view()
    drawn = standing_of(view, retrained)
    row = next(row for row in drawn.rows if row["figure"].startswith("Probe"))
    assert (row["retrain_low_percent"], row["retrain_high_percent"]) == (60.0, 64.0)
    assert drawn.rows[0]["mask_percent"] == 98.2
    assert not any(row["figure"] == "Membership · confidence" for row in drawn.rows), "unknown before and after"
    bands = next(trace for trace in drawn.figure.data if trace.type == "bar")
    assert bands.name == "Retrain"
    without = standing_of(view, Reference())
    assert all(trace.type != "bar" for trace in without.figure.data)


def test_steps_are_written_in_words():
    assert steps_text({"steps": 12, "reached": True}) == "12 steps"
    assert steps_text({"steps": 500, "reached": False}) == "over 500 steps"
    assert steps_text(None) == "–"


def test_telling_changes_nothing(make_view):
    view = make_view()
    before = copy.deepcopy(view.result)
    tell(view, Reference())
    cards(view, Reference())
    assert view.result == before
