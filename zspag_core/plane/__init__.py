"""ZS-PAG in the plane: points as images of two grey levels, a small network, the method as it is everywhere else."""
