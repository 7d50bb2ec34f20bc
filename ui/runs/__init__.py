"""The Runs page: the list of all runs, and the card of each."""
