from __future__ import annotations

import pytest
import torch

from zspag_core.data import to_pixels
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.explain.gradcam import attention
from zspag_core.explain.watch import Watch, choose_watched
from zspag_core.metrics.live import LiveGrades
from zspag_core.metrics.predictions import LabelledLogits, logits_of
from zspag_core.progress import Frame, Reporter
from zspag_core.runs.epoch_log import EpochLog
from zspag_core.runs.stage_cache import NO_CACHE, FileStageCache


class Ear(Reporter):
    """Hears everything; `stop` names what is not listened to any more."""

    def __init__(self, stop=""):
        self.heard, self.stop = [], stop

    def _hear(self, kind, *what):
        self.heard.append((kind, *what))
        if kind == self.stop:
            raise Cancelled("stop")

    def progress(self, stage, done, total, **figures):
        self._hear("progress", stage, done, total, figures)

    def epoch(self, number, total, model, **figures):
        self._hear("epoch", number, total, figures)

    def partway(self, epoch, model, **figures):
        self._hear("partway", epoch, figures)

    def watch(self, frame):
        self._hear("watch", frame.epoch)

    def note(self, sentence):
        self._hear("note", sentence)


@pytest.fixture(scope="module")
def index(digits_model, small_digits):
    test = small_digits.test
    return choose_watched(LabelledLogits(logits_of(digits_model, test.images), test.labels), (3,))


@pytest.fixture
def make_log(digits_model, small_digits, index):
    """Open a log that tells an ear."""

    def make(ear, cache=NO_CACHE, dataset=small_digits, model=digits_model):
        watch = Watch(model, small_digits.test, index)
        return EpochLog(LiveGrades(dataset, (3,), 0), watch, ear, cache)

    return make


@pytest.fixture
def cache(tmp_path):
    return FileStageCache(tmp_path / "state", "a", [Frame])


def test_progress_and_notes_are_passed_on(make_log):
    ear = Ear()
    log = make_log(ear)
    log.progress("proxies", 2, 5, found=4.0)
    log.note("mind this")
    assert ear.heard == [("progress", "proxies", 2, 5, {"found": 4.0}), ("note", "mind this")]


@pytest.mark.slow
def test_every_epoch_has_a_frame_that_comes_before_it_and_grades_beside_its_figures(
    make_log, digits_model, small_digits, index, state_of, assert_untouched
):
    ear, before = Ear(), state_of(digits_model)
    log = make_log(ear)
    log.begin(digits_model)
    log.epoch(1, 3, digits_model, loss=0.5)
    grades = LiveGrades(small_digits, (3,), 0).grade(digits_model)
    assert ear.heard == [
        ("watch", 0),
        ("epoch", 0, 0, grades),
        ("watch", 1),
        ("epoch", 1, 3, {"loss": 0.5, **grades}),
    ]
    assert log.rows == {0: grades, 1: grades}
    assert_untouched(digits_model, before)
    pixels, labels = to_pixels(small_digits.test.images[index]), small_digits.test.labels[index]
    torch.testing.assert_close(log.arrays()["maps"][1], attention(digits_model, pixels, labels, log.layer).maps)
    assert log.arrays()["epochs"].tolist() == [0, 1]
    assert log.seconds > 0


def test_rows_are_merged_by_epoch_and_what_is_unknown_is_none(make_log, digits_model):
    log = make_log(Ear())
    log.epoch(2, 2, digits_model, loss=0.1)
    first, second = log.merge([{"epoch": 1, "loss": 0.7}, {"epoch": 2.0, "loss": 0.1}])
    assert first == {"epoch": 1, "loss": 0.7, "acc_rt": None, "acc_ut": None, "mia": None}
    assert second == {"epoch": 2, "loss": 0.1, **log.rows[2]}
    assert type(second["epoch"]) is int
    assert second["acc_rt"] > 90


def test_what_is_undefined_is_not_passed_on(make_log, digits_model, small_digits):
    few = torch.cat([(small_digits.test.labels == 3).nonzero().flatten()[:4],
                     (small_digits.test.labels != 3).nonzero().flatten()[:20]])  # fmt: skip
    tiny = type(small_digits)("tiny", small_digits.class_names, small_digits.train, small_digits.test[few])
    ear = Ear()
    log = make_log(ear, dataset=tiny)
    log.epoch(1, 1, digits_model)
    assert log.rows[1]["mia"] is None
    assert "mia" not in ear.heard[-1][3]


@pytest.mark.slow
def test_an_earlier_attempt_is_told_again_in_order_and_not_logged_twice(make_log, cache, digits_model):
    first = make_log(Ear(), cache)
    first.begin(digits_model)
    for number in (1, 2):
        first.epoch(number, 5, digits_model, loss=number / 2)
    ear = Ear()
    second = make_log(ear, cache)
    assert second.reached == "epoch 2"
    second.begin(digits_model)
    second.epoch(2, 5, digits_model, loss=9.0)
    assert ear.heard == first.inner.heard
    assert (second.rows, list(second.frames)) == (first.rows, [1, 2, 0])
    assert second.arrays()["epochs"].tolist() == [0, 1, 2]
    second.epoch(3, 5, digits_model, loss=1.5)
    assert ear.heard[-1][:3] == ("epoch", 3, 5)
    assert make_log(Ear(), cache).reached == "epoch 3"


def test_epoch_0_is_not_kept(make_log, cache, digits_model):
    make_log(Ear(), cache).begin(digits_model)
    assert cache.recall("epochs") is None
    assert make_log(Ear(), cache).reached == "its last finished stage"


def test_an_epoch_is_kept_also_when_that_is_where_the_run_is_cancelled(make_log, cache, digits_model):
    log = make_log(Ear(stop="epoch"), cache)
    with pytest.raises(Cancelled):
        log.epoch(1, 2, digits_model)
    assert list(log.rows) == [1]
    assert make_log(Ear(), cache).reached == "epoch 1"


def test_cancelling_at_a_frame_passes_through(make_log, digits_model):
    with pytest.raises(Cancelled):
        make_log(Ear(stop="watch")).begin(digits_model)


def test_a_model_without_layers_is_graded_and_not_watched(odd_model, make_log, small_digits):
    ear = Ear()
    log = make_log(ear, model=odd_model)
    log.look(0, odd_model)
    assert (log.layer, log.frames, log.arrays(), ear.heard) == (None, {}, {}, [])


def test_an_epoch_whose_outputs_are_no_numbers_is_not_passed_on(make_log, digits_model):
    class Broken(type(digits_model)):
        """A model that answers nothing."""

        def forward(self, images):
            return super().forward(images) * torch.nan

    ear = Ear()
    model = Broken(digits_model.config).eval()
    model.load_state_dict(digits_model.state_dict())
    with pytest.raises(UnlearningError, match="outputs became NaN"):
        make_log(ear).epoch(1, 4, model)
    assert [kind for kind, *_ in ear.heard] == ["watch"]


@pytest.mark.slow
def test_a_long_epoch_is_glanced_at_now_and_then_and_nothing_of_it_is_kept(
    make_log, digits_model, small_digits, monkeypatch, state_of, assert_untouched
):
    ear, before, clock = Ear(), state_of(digits_model), [100.0]
    monkeypatch.setattr("zspag_core.runs.epoch_log.time.monotonic", lambda: clock[0])
    log = make_log(ear)
    log.begin(digits_model)
    ear.heard.clear()
    for second, share in ((101.0, 0.1), (102.1, 0.2), (104.0, 0.3), (104.2, 0.4)):
        clock[0] = second
        log.partway(share, digits_model, loss=share)
    seen = LiveGrades(small_digits, (3,), 0).glance(digits_model)
    assert ear.heard == [("partway", share, {"loss": share} | seen) for share in (0.2, 0.4)]
    assert set(log.rows) == {0}
    assert_untouched(digits_model, before)


@pytest.mark.slow
def test_glances_take_a_twentieth_of_the_time_at_most(make_log, digits_model, monkeypatch):
    ear, clock = Ear(), [100.0]
    monkeypatch.setattr("zspag_core.runs.epoch_log.time.monotonic", lambda: clock[0])
    log = make_log(ear)
    log.begin(digits_model)
    ear.heard.clear()

    def slowly(_model):
        clock[0] += 2.0
        return {}

    monkeypatch.setattr(log._live, "glance", slowly)
    for second in (104.0, 120.0, 143.0, 144.1):
        clock[0] = second
        log.partway(second / 1000, digits_model)
    assert [heard[1] for heard in ear.heard] == [0.104, 0.1441]


def test_a_model_in_training_mode_is_left_alone(make_log, digits_model, monkeypatch):
    ear = Ear()
    log = make_log(ear)
    monkeypatch.setattr(log, "_glance_at", 0.0)
    digits_model.train()
    try:
        log.partway(0.5, digits_model)
    finally:
        digits_model.eval()
    assert ear.heard == []
