"""What every page shares: frame, strip, jobs, what is chosen, widgets, words."""
