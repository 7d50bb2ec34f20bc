"""The Model page: choosing or training a classifier, and what it is."""
