from __future__ import annotations

from ui.figures.depth import by_stage, likeness


def part(probe, bits=None):
    return {"probe": probe, "knn": probe, "bits": bits or [0.5, 0.9], "prototypes": {}}


DEPTH = {
    "stages": ["stage 1", "stage 2"],
    "models": {
        "original": part([60.0, 90.0]),
        "unlearned": part([55.0, None]),
        "retrained": part([50.0, 40.0]),
    },
    "cka": {
        "original_unlearned": {"forget": [1.0, 0.5], "rest": [1.0, 0.9]},
        "unlearned_retrained": {"forget": [0.8, 0.4], "rest": [0.8, 0.7]},
        "original_retrained": {"forget": [0.8, 0.3], "rest": [0.8, 0.7]},
    },
    "left": {"probe": 42.4, "knn": None, "bits": 10.0},
}


def test_a_line_a_model_and_a_band_between_the_two_ends():
    probe, knn, bits = by_stage(DEPTH)
    assert [trace.name for trace in probe.figure.data] == ["before · Original", "Retrain", "after"]
    original, retrained, after = probe.figure.data
    assert original.line.dash == "dash"
    assert retrained.fill == "tonexty"
    assert after.fill is None
    assert list(after.y) == [55.0, None]
    assert list(after.x) == ["stage 1", "stage 2"]
    assert (probe.name, knn.name, bits.name) == ("depth_probe", "depth_knn", "depth_bits")
    assert probe.grading


def test_words_and_rows_say_what_is_seen():
    probe, knn, bits = by_stage(DEPTH)
    assert "before · Original 60.0 to 90.0 %" in probe.alt
    assert "after 55.0 to undefined %" in probe.alt
    assert probe.rows[1] == {"stage": "stage 2", "original": 90.0, "retrained": 40.0, "unlearned": None}
    assert "42 %" in probe.note
    assert knn.note == ""
    assert bits.figure.layout.yaxis.title.text == "bits"


def test_without_retrain_there_is_no_band():
    models = {role: DEPTH["models"][role] for role in ("original", "unlearned")}
    cka = {"original_unlearned": DEPTH["cka"]["original_unlearned"]}
    alone = DEPTH | {"models": models, "left": None, "cka": cka}
    assert [trace.fill for trace in by_stage(alone)[0].figure.data] == [None, None]
    drawn = likeness(alone)
    assert len(drawn.figure.data) == 2
    assert drawn.alt.endswith("with Original.")


def test_likeness_is_to_both_ends_on_both_kinds_of_images():
    drawn = likeness(DEPTH)
    assert [trace.name for trace in drawn.figure.data] == [
        "forgotten images, with Original",
        "remaining images, with Original",
        "forgotten images, with Retrain",
        "remaining images, with Retrain",
    ]
    assert drawn.rows[1]["forget_unlearned_retrained"] == 0.4
    assert drawn.alt.endswith("with Original and Retrain.")


def test_information_is_drawn_where_it_was_measured():
    models = {role: figures | {"information": [0.4, 0.6]} for role, figures in DEPTH["models"].items()}
    assert [drawn.name for drawn in by_stage(DEPTH | {"models": models})][-1] == "depth_information"
