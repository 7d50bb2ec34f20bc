from __future__ import annotations

import pytest

from zspag_core.attacks.base import Attack
from zspag_core.attacks.catalogue import AttackEntry, attack_entries, attack_settings
from zspag_core.errors import UsageError
from zspag_core.hyperparameters import configure, schema
from zspag_core.methods.zspag import ZSPAG


@pytest.mark.parametrize("attack", list(attack_entries()))
def test_attacks_read_the_settings_that_are_said_to_be_theirs(attack):
    def built(**settings):
        return configure(ZSPAG, {"attack": attack} | settings).build_attack()

    known, read = set(attack_settings()), set(attack_entries()[attack].settings.values())
    for about in schema(ZSPAG):
        if about["name"] in known:
            other = not about["default"] if about["type"] == "bool" else about["default"] / 2
            value = int(other) if about["type"] == "int" else other
            assert (built(**{about["name"]: value}) != built()) == (about["name"] in read), about["name"]


def test_programs_are_attacks_and_titles_differ():
    entries = attack_entries().values()
    assert all(issubclass(entry.load(), Attack) for entry in entries)
    assert len({entry.title for entry in entries}) == len(entries)


def test_a_program_that_is_no_attack_is_refused():
    entry = AttackEntry(key="x", title="X", program="zspag_core.methods.zspag:ZSPAG", settings={})
    with pytest.raises(UsageError, match="attack x: expected a subclass of Attack, got <class"):
        entry.load()


def test_a_setting_that_the_method_lacks_is_refused(monkeypatch):
    entry = AttackEntry(key="pgd", title="X", program="zspag_core.attacks.pgd:PGD", settings={"steps": "strength"})
    monkeypatch.setattr("zspag_core.methods.zspag_settings.attack_entries", lambda: {"pgd": entry})
    with pytest.raises(UsageError, match="attack pgd: expected settings of zspag, got 'strength'"):
        ZSPAG().build_attack()
