from __future__ import annotations

from torch import nn

from zspag_core.progress import SILENT, AsStage, Relay, Reporter


def test_the_base_ignores_everything():
    model = nn.Linear(1, 1)
    assert SILENT.progress("stage", 1, 2, loss=0.5) is None
    assert SILENT.epoch(1, 2, model, loss=0.5) is None
    assert SILENT.graded({}) is None
    assert type(SILENT) is Reporter


class Ear(Reporter):
    def __init__(self):
        self.heard = []

    def progress(self, *given, **figures):
        self.heard.append(("progress", *given, figures))

    def epoch(self, *given, **figures):
        self.heard.append(("epoch", *given, figures))

    def graded(self, result):
        self.heard.append(("graded", result))


def test_a_relay_passes_everything_on():
    ear, model = Ear(), nn.Linear(1, 1)
    relay = Relay(Relay(ear))
    relay.progress("labels", 1, 2, residual=0.5)
    relay.epoch(1, 3, model, loss=0.25)
    relay.graded({"after": None})
    assert ear.heard == [
        ("progress", "labels", 1, 2, {"residual": 0.5}),
        ("epoch", 1, 3, model, {"loss": 0.25}),
        ("graded", {"after": None}),
    ]


def test_work_inside_a_stage_is_reported_as_part_of_it():
    ear = Ear()
    AsStage(ear, "evaluate").progress("relearning", 2, 5, loss=0.5)
    AsStage(ear, "labels", before=100, total=150).progress("attack", 3, 50)
    assert ear.heard == [("progress", "evaluate", 2, 5, {"loss": 0.5}), ("progress", "labels", 103, 150, {})]
