from __future__ import annotations

import pytest

from zspag_core.metrics.depth.ends import conclude, with_retrained


def part(probe, knn=(10.0, 20.0), bits=(0.1, 0.2), five=50.0, **more):
    return {"probe": list(probe), "knn": list(knn), "bits": list(bits), "prototypes": {"5": {"forget": five}}} | more


ORIGINAL = part((60.0, 90.0), (50.0, 80.0), (0.5, 0.9), 95.0)
AFTER = part((60.0, 80.0), (50.0, 70.0), (0.5, 0.6), 80.0)
RETRAINED = part((50.0, 70.0), (48.0, 60.0), (0.4, 0.4), 35.0)


def depth(after, **more):
    """Return a run's record, without a retrained model."""
    known = {"stages": ["one", "two"], "images": {"forget_test": 9}, "precision": "float32", "extent": "quick"}
    return (
        known | {"seed": 0, "data": "digits", "models": {"original": ORIGINAL, "unlearned": after}, "left": None} | more
    )


def test_what_is_left_lies_between_the_ends():
    found = conclude(depth(AFTER) | {"models": {"original": ORIGINAL, "unlearned": AFTER, "retrained": RETRAINED}})
    assert found["left"]["probe"] == pytest.approx(100 * (70 - 60) / (75 - 60))
    assert found["left"]["knn"] == pytest.approx(100 * (60 - 54) / (65 - 54))
    assert found["left"]["bits"] == pytest.approx(100 * (0.55 - 0.4) / (0.7 - 0.4))
    assert found["worst"] == {"measure": "probe", "stage": "one", "share": 100.0}


def test_without_both_ends_nothing_is_left():
    found = conclude(depth(AFTER))
    assert found["left"] is found["worst"] is None


def test_the_ends_may_lie_too_close():
    models = {"original": ORIGINAL, "unlearned": AFTER, "retrained": ORIGINAL}
    found = conclude(depth(AFTER) | {"models": models})
    assert found["left"] == dict.fromkeys(("probe", "knn", "bits"))
    assert found["worst"] is None


def test_a_retraining_runs_own_record_is_the_other_end():
    run, other = depth(AFTER), depth(RETRAINED)
    joined = with_retrained(run, other)
    assert joined["models"] == {"original": ORIGINAL, "unlearned": AFTER, "retrained": RETRAINED}
    assert joined["left"] == conclude(joined)["left"]
    assert run["left"] is None, "the run's own record stays"


@pytest.mark.parametrize(
    "other",
    [
        {"stages": ["one"]},
        {"images": {"forget_test": 8}},
        {"precision": "float64"},
        {"extent": "all"},
        {"data": "mine.npz"},
        {"seed": 1},
    ],
)
def test_a_record_of_other_images_or_stages_is_not(other):
    assert with_retrained(depth(AFTER), depth(RETRAINED) | other) is None
