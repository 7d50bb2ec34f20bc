from __future__ import annotations

import subprocess
import sys

import pytest

from zspag_core.errors import UsageError
from zspag_core.hyperparameters import configure, values
from zspag_core.methods import METHODS, find_method
from zspag_core.methods.catalogue import OFFICIAL, choices, find_entry, method_entries, references


def test_lists_are_drawn_without_torch():
    code = (
        "import sys, zspag_core.methods.catalogue as m, zspag_core.attacks.catalogue as a;"
        "assert m.method_entries() and a.attack_entries(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_method_is_found_by_its_key():
    assert [method.name for method in METHODS] == choices()
    assert sorted(choices()) == sorted(method_entries())
    with pytest.raises(UsageError, match=r"method: expected one of zspag, .*, cola, got 'zs'"):
        find_entry("zs")


def test_a_form_lists_zero_shot_methods_first_and_those_that_need_remaining_data_last():
    needs = [find_entry(key).needs_retain for key in choices() if key not in references()]
    assert needs == sorted(needs)
    assert references() == {"mask", "retrain"}


@pytest.mark.parametrize("key", [key for key, entry in method_entries().items() if entry.tuning])
def test_tuning_turns_a_hyper_parameter_within_its_range(key):
    entry = find_entry(key)
    about = find_method(key).__dataclass_fields__[entry.tuning.name].metadata["schema"]
    ends = entry.tuning.at(0.0), entry.tuning.at(1.0)
    assert about["min"] <= min(ends) < max(ends) <= about["max"]
    configure(find_method(key), dict(entry.tuned))


@pytest.mark.parametrize("key", list(method_entries()))
def test_every_preset_is_known_to_the_method(key):
    entry = find_entry(key)
    assert list(entry.all_presets)[:1] == ([OFFICIAL] if entry.official else list(entry.presets)[:1])
    for settings in entry.all_presets.values():
        assert {**values(configure(find_method(key), settings)), **settings} == values(
            configure(find_method(key), settings)
        )


@pytest.mark.parametrize("entry", method_entries().values(), ids=lambda entry: entry.key)
def test_a_card_has_something_to_say(entry):
    assert entry.summary.endswith(".")
    assert entry.source
    assert all(sentence.endswith(".") for sentence in entry.deviations)
    assert bool(entry.official) <= bool(entry.deviations), "whoever compares with a published program asks what differs"
