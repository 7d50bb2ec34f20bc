"""What the engine says names no option of the command line on a page, and files by their owners' names."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ui.shell.engine_words import for_page, said_of
from zspag_core.checkpoints import Checkpoint
from zspag_core.data import load_dataset
from zspag_core.errors import UsageError
from zspag_core.input_checks.altered_images import AlteredImages
from zspag_core.input_checks.alternatives import with_reading
from zspag_core.input_checks.class_order import check_order
from zspag_core.input_checks.forgotten_classes import check_classes
from zspag_core.input_checks.preparation import check_reading
from zspag_core.input_checks.sample import AskedSample
from zspag_core.jobs import Lane, State


@pytest.fixture
def refused(digits_model, small_digits):
    """Return what the engine says of wrong orders, classes and readings, as on the command line."""
    train, said = small_digits.train, []

    def numbered(order, names=small_digits.class_names):
        labels = torch.tensor(order)[train.labels]
        return AskedSample.about(
            digits_model, replace(small_digits, class_names=names, train=replace(train, labels=labels))
        )

    def refuse(check, *arguments, **how):
        with pytest.raises(UsageError) as caught:
            check(*arguments, **how)
        said.append(str(caught.value))

    turned, exchanged = numbered([*range(1, 10), 0]), numbered([0, 1, 2, 8, 4, 5, 6, 7, 3, 9])
    counted = tuple(map(str, range(1, 11)))
    by_letter = sorted(range(10), key=lambda k: counted[k])
    lettered = numbered([by_letter.index(k) for k in range(10)], tuple(counted[k] for k in by_letter))
    refuse(check_order, lettered, None)
    for named in (False, True):
        refuse(check_order, turned, None, named=named)
        refuse(check_classes, exchanged, [3], None, "image size 224", named=named)
    dark = with_reading(digits_model, mean=(3.0,))
    assumed = Checkpoint(dark, {"assumed": {"mean": 0, "std": 0}}, "")
    refuse(
        check_reading,
        assumed,
        AskedSample.about(dark, small_digits),
        lambda side: load_dataset("digits", image_size=side, channels=1),
    )
    return [*said, str(AlteredImages("the images look altered: 40.0 %, exchanged 80.0 %"))]


@pytest.mark.slow
def test_no_option_of_the_command_line_is_named(refused):
    assert all("--" in sentence for sentence in refused)
    for sentence in map(for_page, refused):
        assert "--" not in sentence
        assert "on the page Model" in sentence


def test_files_of_a_job_have_their_owners_names(store, tmp_path):
    store.submit("unlearn", {"checkpoint": str(tmp_path / "net.pth"), "forget": [3]})
    job = store.claim(Lane.RUNS, "w", "cpu")
    store.finish(job, State.FAILED, error=f"{tmp_path / 'net.pth'}: torn; choose with --order natural, or --order "
                 "given to keep it as it is")  # fmt: skip
    ended = store.require(job.id)
    assert said_of(ended, ended.error) == "net.pth: torn; choose on the page Model"
