"""What the pages share: frame, forms, panels, figures. Streamlit lives here and in pages/, never in zspag_core."""
