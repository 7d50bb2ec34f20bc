"""Training a classifier: the loop, and one whole training from its configuration to its checkpoint."""
