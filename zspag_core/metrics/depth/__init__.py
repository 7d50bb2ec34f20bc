"""Depth: what every stage of a network still knows of the forgotten classes, from the input to the last features."""
