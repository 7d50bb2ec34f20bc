"""The two colours that mean the same everywhere; both keep 3:1 contrast on the light and the dark background."""

REMAINING = "#6688AA"
FORGOTTEN = "#D9640F"
REFERENCE = "#8C8C8C"
