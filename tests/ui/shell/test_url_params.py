from __future__ import annotations

from streamlit.testing.v1 import AppTest


def script():
    import streamlit as st

    from ui.shell.url_params import UrlWord, word_of, write_word

    run = UrlWord("job", "job_id")
    st.markdown(f"run {run.read()}, part {word_of('part', ['a', 'b'], 'a')}")
    st.button("Write", key="write", on_click=run.write, args=("two",))
    st.button("Clear", key="clear", on_click=run.clear)
    st.button("Usual", key="usual", on_click=write_word, args=("part", "a", "a"))


def test_a_word_is_read_from_the_address_before_the_session():
    page = AppTest.from_function(script)
    page.session_state["job_id"] = "session"
    assert page.run().markdown[0].value == "run session, part a"
    page.query_params["job"] = "address"
    assert page.run().markdown[0].value == "run address, part a"


def test_a_word_is_written_into_both_and_taken_out_of_both():
    page = AppTest.from_function(script).run()
    page.button(key="write").click().run()
    assert page.query_params["job"] in ("two", ["two"])
    assert page.session_state["job_id"] == "two"
    page.button(key="clear").click().run()
    assert "job" not in page.query_params
    assert "job_id" not in page.session_state


def test_only_known_words_are_taken_and_the_usual_one_is_left_out():
    page = AppTest.from_function(script)
    page.query_params["part"] = "b"
    assert page.run().markdown[0].value.endswith("part b")
    page.button(key="usual").click().run()
    assert "part" not in page.query_params
    page.query_params["part"] = "nonsense"
    assert page.run().markdown[0].value.endswith("part a")
