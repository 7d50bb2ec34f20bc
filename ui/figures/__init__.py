"""Plotly figures, one module a page: pure functions from records to figures, without Streamlit."""
