"""A number that cannot be is corrected in sight, and no button takes a correction that nobody has seen."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from ui.shell import number_field as module


def script():
    import streamlit as st

    from ui.shell.number_field import meant, number_field

    def note():
        st.session_state["called"] = st.session_state["count"]

    count = number_field("Count", 1, 1000, 20, key="count", on_change=note)
    rate = number_field("Rate", 0.0, None, key="rate", step=0.1, empty="automatic")
    st.text(f"{count!r} {rate!r}")
    if meant(st.button("Go", key="go")):
        st.text("gone")


def words(page):
    return " ".join(part.value for part in [*page.caption, *page.text])


def test_begins_with_what_it_was_given_and_may_be_empty_where_that_is_said():
    page = AppTest.from_function(script).run()
    assert words(page) == "20 None"
    page.number_input(key="count").set_value(1000).run()
    page.number_input(key="rate").set_value(0.3).run()
    assert words(page) == "1000 0.3"
    assert page.session_state["called"] == 1000


def test_what_the_browser_is_told_to_begin_with_stays():
    page = AppTest.from_function(script).run()
    first = [part.proto.default for part in page.number_input]
    page.button(key="go").click().run()
    assert [part.proto.default for part in page.number_input] == first, "another one would be taken for typed"


def test_number_out_of_range_becomes_the_nearest_possible_one_and_that_is_said():
    page = AppTest.from_function(script).run()
    page.number_input(key="count").set_value(-5).run()
    assert page.number_input(key="count").value == 1
    assert "-5 is less than 1, the least possible: 1 is taken." in words(page)
    assert page.session_state["called"] == 1, "whoever listens hears of the corrected one"
    page.number_input(key="count").set_value(1001).run()
    assert page.number_input(key="count").value == 1000
    assert "1001 is more than 1000, the most possible: 1000 is taken." in words(page)
    page.number_input(key="rate").set_value(-0.5).run()
    assert "-0.5 is less than 0, the least possible: 0 is taken." in words(page)
    page.number_input(key="count").set_value(30).run()
    assert "1000" not in words(page), "the sentence goes with the next number"


def test_button_pressed_before_the_correction_could_be_read_waits_for_another_press(monkeypatch):
    page = AppTest.from_function(script).run()
    page.number_input(key="count").set_value(-5)
    page.button(key="go").click().run()
    assert "gone" not in words(page)
    assert [toast.value for toast in page.toast] == [module.PRESS_AGAIN]
    monkeypatch.setattr(module, "UNREAD_SECONDS", 0.0)
    page.button(key="go").click().run()
    assert "gone" in words(page)
