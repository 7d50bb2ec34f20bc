"""The methods' short names; apart from the methods, for lists are drawn where loading torch would take too long."""

from __future__ import annotations

METHOD_NAMES = {
    "zspag": "ZS-PAG",
    "posterior": "Posterior labels",
    "finetune": "FT",
    "finetune_zs": "FT-zs",
    "neggrad": "Neggrad",
    "neggrad_zs": "Neggrad-zs",
    "badt": "BadT",
    "badt_zs": "BadT-zs",
    "salun": "SalUn",
    "salun_zs": "SalUn-zs",
    "fisher": "Fisher",
    "boundary_shrink": "Boundary shrink",
    "gkt": "GKT",
    "mask": "Mask",
    "retrain": "Retrain",
}
REFERENCES = frozenset({"mask", "retrain"})
"""Methods that others are measured against; neither is a way to forget without the data."""
