from __future__ import annotations

from dataclasses import replace

import pytest

from ui.results.figures import classes_of, gallery, groups_of, moments_of, predictions_of, tables, taught_of
from ui.results.reference import Reference

MEMBERSHIP = {
    f"membership_{measure}_{when}" for measure in ("loss", "entropy", "confidence") for when in ("before", "after")
}


def test_everything_of_a_full_run_is_drawn_with_words_and_data(make_view):
    found = gallery(make_view(influences=True), Reference())
    assert [drawn.name for drawn in found] == [
        "figures", "epochs", "accuracy_by_class", "predictions", "membership_loss_after", "membership_entropy_after",
        "layers_protected", "layers_drift", "free_gradient", "labels", "label_influence", "seconds",
    ]  # fmt: skip
    for drawn in found:
        assert drawn.title
        assert drawn.alt.endswith(".")
        assert drawn.rows, drawn.name
        assert drawn.figure.data, drawn.name


@pytest.mark.slow
@pytest.mark.parametrize(
    "about", [{"method": "mask"}, {"method": "retrain"}, {"method": "posterior"}, {"cancelled": True}]
)
def test_other_runs_are_drawn_as_far_as_they_go(make_view, about):
    found = {drawn.name for drawn in gallery(make_view(**about), Reference())}
    assert {"figures", "accuracy_by_class", "predictions", "seconds"} <= found
    assert not {"layers_protected", "layers_drift"} & found
    assert ("labels" in found) == (about.get("method", "zspag") in {"zspag", "posterior"})


@pytest.mark.slow
def test_tables_hold_every_figure_and_all_histograms(make_view):
    found = tables(make_view(), Reference())
    assert set(found) >= MEMBERSHIP
    row = found["membership_loss_after"][0]
    assert {f"{group}_percent" for group in ("forget_train", "forget_test", "retain_train", "retain_test")} <= set(row)


def test_a_stopped_run_has_outputs_of_before_only(make_view):
    view = make_view(cancelled=True)
    assert moments_of(view) == ["before"]
    assert groups_of(view, "after", "loss") == {}
    assert len(predictions_of(view).figure.data) == 1


def test_two_runs_show_the_same_classes(make_view):
    one, two = make_view("A", classes=40, forget=(3,)), make_view("B", classes=40, forget=(30,), seed=1)
    drawn = [classes_of(view, [one, two]).figure.layout.xaxis.ticktext for view in (one, two)]
    assert len(drawn[0]) == len(drawn[1])
    assert any(">3<" in text for text in drawn[0])
    assert "30" in drawn[0], "what B forgot is drawn for A too"


def test_no_labels_no_picture(make_view):
    assert taught_of(make_view(method="mask")) == []


@pytest.mark.slow
def test_depth_is_drawn_where_the_record_has_it(make_view):
    view = make_view()
    figures = {"probe": [60.0, 90.0], "knn": [50.0, 80.0], "bits": [0.5, 0.9]}
    depth = {"stages": ["one", "two"], "models": {"original": figures, "unlearned": figures}, "cka": {}, "left": None}
    known = replace(view, result={**view.result, "depth": depth})
    added = {drawn.name for drawn in gallery(known, Reference())} - {drawn.name for drawn in gallery(view, Reference())}
    assert added == {"depth_probe", "depth_knn", "depth_bits", "depth_cka"}
