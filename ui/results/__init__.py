"""The Results page: what a run did, in figures, sentences and downloads."""
