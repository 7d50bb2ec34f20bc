"""One run, from what it is asked to its folder: config, prepare, execute, report, artifacts.

Nothing is imported here: pages and methods read single modules of this package, where the rest would take too long.
"""
