from __future__ import annotations

import dataclasses
import json

import pytest

from zspag_core.errors import UsageError
from zspag_core.hyperparameters import basic_names, configure, knob, schema, values


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    steps: int = knob(3, "How many.", minimum=1, maximum=9, unit="steps", basic=True)
    rate: float = knob(0.5, "How far.", minimum=0.0)
    kind: str = knob("a", "Which.", choices=("a", "b"))
    loud: bool = knob(default=False, help="Say so.")
    limit: float | None = knob(None, "At most.", maximum=2.0)
    seed: int = knob(0, "Of everything.", minimum=0)
    note: str = "not a knob"


def test_the_schema_has_the_keys_of_the_contract_and_is_json():
    rows = schema(Sample)
    keys = {"name", "type", "default", "min", "max", "choices", "unit", "help"}
    assert all(keys == set(row) for row in rows)
    assert json.loads(json.dumps(rows))[0] == {
        "name": "steps", "type": "int", "default": 3, "min": 1, "max": 9, "choices": None, "unit": "steps",
        "help": "How many.",
    }  # fmt: skip
    assert [row["type"] for row in rows] == ["int", "float", "str", "bool", "float", "int"]
    assert rows[2]["choices"] == ["a", "b"]


def test_only_knobs_are_listed():
    assert [row["name"] for row in schema(Sample)] == ["steps", "rate", "kind", "loud", "limit", "seed"]
    assert basic_names(Sample) == ("steps",)
    assert "note" not in values(Sample())


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("steps", "4", 4),
        ("steps", "4.0", 4),
        ("steps", "1", 1),
        ("steps", "9", 9),
        ("steps", 5, 5),
        ("rate", "1e-3", 0.001),
        ("rate", "8/255", 8 / 255),
        ("rate", " 1 / 4 ", 0.25),
        ("rate", 2, 2.0),
        ("kind", "b", "b"),
        ("loud", "Yes", True),
        ("loud", "off", False),
        ("loud", "1", True),
        ("loud", True, True),
        ("limit", "1.5", 1.5),
        ("seed", 2**63 - 1, 2**63 - 1),
        ("seed", str(2**53 + 1), 2**53 + 1),
    ],
)
def test_texts_and_values_are_read(name, given, expected):
    found = getattr(configure(Sample, {name: given}), name)
    assert found == expected
    assert type(found) is type(expected)


def test_values_are_what_configure_gives_back():
    assert values(configure(Sample, {"steps": "2"})) == {
        "steps": 2, "rate": 0.5, "kind": "a", "loud": False, "limit": None, "seed": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("steps", "0", "steps: expected 1 to 9, got 0"),
        ("steps", "10", "steps: expected 1 to 9, got 10"),
        ("steps", "2.5", "steps: expected a whole number, got '2.5'"),
        ("steps", "many", "steps: expected a whole number, got 'many'"),
        ("steps", "nan", "steps: expected a whole number, got 'nan'"),
        ("steps", "inf", "steps: expected a whole number, got 'inf'"),
        ("steps", None, "steps: expected a whole number, got None"),
        ("steps", True, "steps: expected a whole number, got True"),
        ("rate", "-0.1", "rate: expected at least 0, got -0.1"),
        ("rate", "nan", "rate: expected a finite number, got nan"),
        ("rate", "inf", "rate: expected a finite number, got inf"),
        ("rate", "", "rate: expected a number such as 0.03 or 8/255, got ''"),
        ("rate", "8/0", "rate: expected a number such as 0.03 or 8/255, got '8/0'"),
        ("rate", "8/b", "rate: expected a number such as 0.03 or 8/255, got '8/b'"),
        ("limit", "3", "limit: expected at most 2, got 3.0"),
        ("kind", "c", "kind: expected one of a, b, got 'c'"),
        ("loud", "perhaps", "loud: expected true or false, got 'perhaps'"),
        ("volume", "1", "volume: no such setting; expected one of steps, rate, kind, loud, limit, seed"),
        ("note", "x", "note: no such setting; expected one of steps, rate, kind, loud, limit, seed"),
    ],
)
def test_bad_settings_are_refused_in_one_sentence(name, given, said):
    with pytest.raises(UsageError) as caught:
        configure(Sample, {name: given})
    assert str(caught.value) == said


def many_knobs(*names):
    fields = [(name, int, knob(0, "")) for name in (*names, *(f"knob_{letter}" for letter in "abcdefghijkl"))]
    return dataclasses.make_dataclass("Many", fields, frozen=True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("learning-rate", "expected one of 15, perhaps learning_rate"),
        ("EPSLON", "expected one of 15, perhaps epsilon"),
        ("zzz", "expected one of learning_rate, epsilon, epochs, knob_a, knob_b, knob_c, knob_d, knob_e, knob_f, "
                "knob_g, knob_h, knob_i and more, 15 in all"),
    ],
)  # fmt: skip
def test_of_many_names_those_are_told_that_may_be_meant(name, said):
    with pytest.raises(UsageError) as caught:
        configure(many_knobs("learning_rate", "epsilon", "epochs"), {name: "1"})
    assert str(caught.value) == f"{name}: no such setting; {said}"


def test_a_kind_without_knobs_says_so():
    @dataclasses.dataclass(frozen=True)
    class Bare:
        pass

    with pytest.raises(UsageError, match="no such setting; expected none at all"):
        configure(Bare, {"x": 1})
