from __future__ import annotations

import pytest

from zspag_core.data.classes import in_order, natural, number_labels, number_names, numbered
from zspag_core.data.reading import ClassReading
from zspag_core.errors import DataError

PETS = ClassReading(("cat", "dog", "bird", "tench, Tinca tinca"))
ONE_TO_TWELVE = [str(k) for k in range(1, 13)]


def outputs(name, found, reading=None, **options):
    numbering = number_names(name, found, *([reading] if reading else []), **options)
    return {one: numbering.class_names[numbering.places[k]] for k, one in enumerate(found)}


def test_natural_order_counts():
    assert sorted(["c10", "C2", "b", "c1"], key=natural) == ["b", "c1", "C2", "c10"]
    long = "c" + "9" * 5000
    assert sorted([long, "c1"], key=natural) == ["c1", long]


def test_without_a_model_classes_are_numbered_as_image_folder_does():
    numbering = number_names("mine", ["Zebra", "ant", "Bee"])
    assert numbering.class_names == ("Bee", "Zebra", "ant")
    assert dict(numbering.places) == {0: 1, 1: 2, 2: 0}
    assert numbering.notes == (
        "the classes of mine are numbered as torchvision's ImageFolder does (Bee, Zebra, ant); --order natural takes "
        "ant, Bee, Zebra",
    )


@pytest.mark.parametrize(
    ("order", "first", "notes"),
    [(None, ["1", "10", "11"], 1), ("code_point", ["1", "10", "11"], 0), ("natural", ["1", "2", "3"], 0)],
)
def test_both_orders_can_be_asked_for(order, first, notes):
    names, said = in_order("mine", ONE_TO_TWELVE, order)
    assert names[:3] == first
    assert len(said) == notes


def test_orders_that_agree_need_no_note():
    assert in_order("mine", ["b", "a"], None) == (["a", "b"], ())
    assert in_order("digits", list("0123456789"), None)[1] == ()


def test_names_of_the_model_are_found_whatever_their_order():
    numbering = number_names("mine", ["bird", "cat", "dog", "tench, Tinca tinca"], PETS)
    assert numbering.class_names == PETS.class_names
    assert dict(numbering.places) == {0: 2, 1: 0, 2: 1, 3: 3}
    assert numbering.notes == ()


def test_some_of_the_models_classes_are_enough():
    assert dict(number_names("mine", ["dog"], PETS).places) == {0: 1}


@pytest.mark.parametrize("written", ["DOG", "Dog"])
def test_capitals_are_overlooked_with_a_note(written):
    numbering = number_names("mine", [written], PETS)
    assert dict(numbering.places) == {0: 1}
    assert f"{written} as dog" in numbering.notes[0]


def test_spaces_and_underscores_are_overlooked_with_a_note():
    reading = ClassReading(("Egyptian cat", "dog"))
    assert outputs("mine", ["egyptian_cat"], reading) == {"egyptian_cat": "Egyptian cat"}


def test_an_exact_name_wins_over_one_in_other_capitals():
    assert outputs("mine", ["dog", "Dog"], ClassReading(("Dog", "dog"))) == {"dog": "dog", "Dog": "Dog"}


def test_names_that_a_source_orders_stay_in_that_order():
    numbering = number_names("mine", ["b", "a"], numbered=True)
    assert numbering.class_names == ("b", "a")
    assert dict(numbering.places) == {0: 0, 1: 1}


def test_the_same_list_of_names_may_have_doubles():
    names = ("crane", "dog", "crane")
    assert dict(number_names("mine", names, ClassReading(names), numbered=True).places) == {0: 0, 1: 1, 2: 2}


def test_as_many_other_names_are_taken_in_order_with_a_note():
    numbering = number_names("mine", ["2", "1", "10"], ClassReading(("a", "b", "c")))
    assert dict(numbering.places) == {0: 2, 1: 0, 2: 1}
    assert numbering.class_names == ("a", "b", "c")
    assert numbering.notes[0] == (
        "names of classes differ: they are taken in order, so that mine's '1' is the model's class 0, 'a'"
    )
    assert "--order natural" in numbering.notes[1]
    assert dict(number_names("mine", ["2", "1", "10"], ClassReading(("a", "b", "c"), order="natural")).places)[2] == 2


def test_names_that_agree_at_their_places_let_the_others_differ():
    assert (
        outputs("mine", ["automobile", "bird", "plane"], ClassReading(("car", "bird", "plane")))["automobile"] == "car"
    )


@pytest.mark.parametrize("reading", [ClassReading(num_classes=3), ClassReading(num_classes=3, order="natural")])
def test_a_model_without_names_takes_as_many_classes(reading):
    assert number_names("mine", ["a", "b", "c"], reading).class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("found", "reading", "message"),
    [
        (
            ["cat", "eel"],
            PETS,
            "the model tells 4 classes apart, mine has 2, of which the model does not name 'eel'; the model's classes "
            "are cat, dog, bird, \"tench, Tinca tinca\", the data's cat, eel; take 'eel' out of the data, or "
            "give the model's names with --classes",
        ),
        (["3"], PETS, "does not name '3'"),
        (
            ["1", "2", "dog"],
            ClassReading(("dog", "a", "b")),
            "differently, and the model does not name mine's '1', '2'",
        ),
        (["a"], ClassReading(num_classes=3), r"mine has 1 \(a\), and the model does not name its classes"),
        (["Cat", "cat"], PETS, "Classes 'cat' and 'Cat' of mine are both the model's 'cat'"),
        (["crane"], ClassReading(("crane", "crane")), r"Class 'crane' of mine could be .* outputs 0 \('crane'\) and 1"),
        (["DOG"], ClassReading(("dog", "Dog")), r"Class 'DOG' of mine could be .* outputs 0 \('dog'\) and 1 \('Dog'\)"),
    ],
)
def test_what_fits_no_output_for_certain_is_refused(found, reading, message):
    with pytest.raises(DataError, match=message):
        number_names("mine", found, reading)


@pytest.mark.parametrize(
    ("present", "reading", "places", "names", "notes"),
    [
        ([0, 1, 2], ClassReading(), {0: 0, 1: 1, 2: 2}, ("0", "1", "2"), 0),
        ([0, 2], ClassReading(), {0: 0, 2: 2}, ("0", "1", "2"), 0),
        ([1, 2, 3], ClassReading(), {1: 0, 2: 1, 3: 2}, ("1", "2", "3"), 1),
        ([0, 1, 2, 3], PETS, {0: 0, 1: 1, 2: 2, 3: 3}, PETS.class_names, 0),
        ([2], PETS, {2: 2}, PETS.class_names, 1),
        ([1, 2, 3, 4], PETS, {1: 0, 2: 1, 3: 2, 4: 3}, PETS.class_names, 1),
        ([0, 10, 20, 30], PETS, {0: 0, 10: 1, 20: 2, 30: 3}, PETS.class_names, 1),
        ([3], ClassReading(num_classes=5), {3: 3}, ("0", "1", "2", "3", "4"), 0),
        ([1, 3], ClassReading(("1", "2", "3")), {1: 0, 3: 2}, ("1", "2", "3"), 1),
        ([0, 1], ClassReading(("0", "1", "2")), {0: 0, 1: 1}, ("0", "1", "2"), 0),
    ],
)
def test_labels_without_names_are_outputs(present, reading, places, names, notes):
    numbering = number_labels("mine", present, reading)
    assert dict(numbering.places) == places
    assert numbering.class_names == names
    assert len(numbering.notes) == notes


@pytest.mark.parametrize("present", [[4], [1, 4], [0, 10, 20], [3, 4, 5]])
def test_labels_that_can_be_no_outputs_are_refused(present):
    with pytest.raises(DataError, match=f"mine has labels up to {present[-1]}, the model tells 4 classes apart"):
        number_labels("mine", present, PETS)


def test_numbers_as_names():
    assert numbered("mine", 2) == ("0", "1", "2")
    with pytest.raises(DataError, match="mine has 1,001 classes; expected 2 to 1,000"):
        numbered("mine", 1000)


def test_labels_from_one_are_what_a_person_calls_them():
    """Else `--forget 5` forgot what the data call 6."""
    found = number_labels("mine", [1, 2, 3], ClassReading(num_classes=3))
    assert found.class_names == ("1", "2", "3")
    assert found.places == {1: 0, 2: 1, 3: 2}
    assert number_labels("mine", [2, 5, 9], ClassReading(num_classes=3)).class_names == ("2", "5", "9")
    named = number_labels("mine", [1, 2, 3], ClassReading(("cat", "dog", "owl")))
    assert (named.class_names, named.places[1]) == (("cat", "dog", "owl"), 0)
    assert "1 is output 0, called 'cat'" in named.notes[0]
