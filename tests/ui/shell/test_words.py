from __future__ import annotations

import pytest

from ui.shell.words import GLOSSARY, help_for, knob_label


def test_glossary_is_one_sentence_a_term_in_order():
    assert len(GLOSSARY) >= 25
    assert list(GLOSSARY) == sorted(GLOSSARY, key=str.casefold)
    for term, sentence in GLOSSARY.items():
        assert sentence[0].isupper(), term
        assert sentence.endswith("."), term
        assert ". " not in sentence, f"{term}: more than one sentence"


def test_help_for_refuses_unknown_terms():
    assert help_for("ASR").startswith("Attack success rate")
    with pytest.raises(KeyError, match="abracadabra"):
        help_for("abracadabra")


def test_unknown_settings_get_a_readable_name():
    assert knob_label("epsilon") == "ε · perturbation budget"
    assert knob_label("step_size") == "Step size"
