"""The Tune page: sweeps over settings."""
