from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[3]


def script():
    import streamlit as st

    from ui.shell.streamlit_fragments import redrawn

    @redrawn()
    def part(word: str) -> None:
        if st.button("Count"):
            st.session_state["count"] = st.session_state.get("count", 0) + 1
        st.markdown(f"{word} {st.session_state.get('count', 0)}")

    part("counted")
    st.markdown("the neighbour")


def test_part_stands_alone_in_a_container_and_answers():
    app = AppTest.from_function(script).run()
    part, neighbour = app.main.children.values()
    assert neighbour.value == "the neighbour"
    assert len(part.children) == 1, "what the page puts beside a fragment moves up when the browser drops it"
    app.button[0].click().run()
    assert [markdown.value for markdown in app.markdown] == ["counted 1", "the neighbour"]


SOURCES = [ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "ui").rglob("*.py")]


def test_no_page_draws_a_fragment_that_has_neighbours():
    assert [path.name for path in SOURCES if "st.fragment" in path.read_text("utf-8")] == ["streamlit_fragments.py"]


def test_no_page_stops_before_its_end():
    """Streamlit forgets the fragments that a page no longer draws only where the page came to its end.

    The gate of a class stops for whoever is not in yet: nothing was drawn for them before.
    """
    assert [path.name for path in SOURCES if "st.stop()" in path.read_text("utf-8")] == ["class_bar.py"]
