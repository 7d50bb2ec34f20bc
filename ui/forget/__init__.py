"""The Forget page: the form on the left, the run on the right."""
