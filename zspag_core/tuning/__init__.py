"""Sweeps: many runs with different settings, and which of them to choose without looking at what must be kept.

`space` says what is varied, `sampler` chooses points, `dispatcher` asks and tells the study and is its only writer,
`trials` is what a worker does beyond an ordinary run, `objectives` what a trial is judged by, `report` what came of it.
"""
