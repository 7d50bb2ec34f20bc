"""The Compare page: methods beside each other, over seeds."""
