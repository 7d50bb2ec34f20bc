from __future__ import annotations

import pytest

from zspag_core.hyperparameters import configure
from zspag_core.methods import find_method
from zspag_core.methods.catalogue import method_entries
from zspag_core.reproduce.rows import INVENTING, methods, overhead, rivals
from zspag_core.reproduce.scale import BRIEF, FULL, SCALES, SMALL, every_image, few_images


def test_every_method_has_rows_and_only_references_have_none():
    assert {*methods(), "mask", "retrain"} == set(method_entries())


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_every_row_has_settings_that_its_method_knows(scale):
    for plan in [*rivals(scale), *overhead(scale)]:
        configure(find_method(plan.method), plan.settings)


def test_all_methods_have_the_same_number_of_trials():
    tuned = {plan.method for plan in rivals(FULL) if plan.knob}
    assert tuned == {key for key in methods() if method_entries()[key].tuning}
    assert {plan.method for plan in rivals(SMALL) if plan.knob} == tuned - {"gkt"}


def test_what_takes_longest_has_fewer_seeds_at_the_brief_scale():
    seeds = {plan.key: plan.seeds for plan in rivals(BRIEF)}
    assert (seeds["finetune"], seeds["finetune_tuned"]) == (1, 1)
    assert (seeds["finetune_zs_tuned"], seeds["zspag"]) == (None, None)
    assert {plan.seeds for plan in rivals(few_images(BRIEF))} == {None}


def test_times_on_all_images_take_everything_at_full_and_less_where_retrain_is_cut_short():
    whole = every_image(FULL)
    assert (whole.retain_seeds, whole.retrain_seeds, whole.retrain_epochs) == (0, 0, 0)
    for scale, epochs in ((SMALL, 1), (BRIEF, 2)):
        short = every_image(scale)
        assert (short.retain_seeds, short.retrain_seeds, short.retrain_epochs) == (1, 1, epochs)
        assert (short.forget_images, short.retain_images, short.retrain_images) == (0, 0, 0)
    assert {plan.seeds for plan in overhead(BRIEF)} == {None}, "the paper's own table has every seed"


def test_overhead_gives_every_method_with_epochs_ten():
    for plan in overhead(SMALL):
        has_epochs = "epochs" in find_method(plan.method).__dataclass_fields__
        if has_epochs and plan.method not in INVENTING and plan.key != "zspag_rule":
            assert plan.settings["epochs"] == 10, plan.key
