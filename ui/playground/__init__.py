"""The Playground page: ZS-PAG in the plane, redrawn at every turn of a knob."""
