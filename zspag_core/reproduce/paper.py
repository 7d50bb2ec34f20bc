"""The figures of the paper's tables (Chen et al., ZS-PAG), in percent, to stand beside ours."""

from __future__ import annotations

METHODS = (
    "original",
    "retrain",
    "finetune",
    "finetune_zs",
    "neggrad",
    "neggrad_zs",
    "badt",
    "badt_zs",
    "salun",
    "salun_zs",
    "fisher",
    "boundary_shrink",
    "gkt",
    "zspag",
)
Figures = dict[str, dict[str, float]]


def _table(columns: tuple[str, ...], rows: tuple[tuple[float, ...], ...]) -> Figures:
    """Return figures by method, in the order of `METHODS`."""
    return {method: dict(zip(columns, row, strict=True)) for method, row in zip(METHODS, rows, strict=True)}


FACESCRUB = _table(
    ("acc_rt", "acc_ut"),
    (
        (96.17, 96.05),
        (96.31, 0.0),
        (74.69, 0.0),
        (78.72, 0.0),
        (65.59, 0.0),
        (79.09, 3.85),
        (87.51, 6.41),
        (74.60, 5.77),
        (85.20, 1.28),
        (77.50, 0.0),
        (51.88, 0.0),
        (77.21, 0.64),
        (73.10, 0.99),
        (96.48, 1.92),
    ),
)
SVHN = _table(
    ("acc_rt", "acc_ut"),
    (
        (95.52, 91.30),
        (95.56, 0.0),
        (95.97, 0.95),
        (80.41, 5.91),
        (96.15, 0.02),
        (57.02, 9.40),
        (96.01, 3.27),
        (78.22, 2.30),
        (95.85, 3.48),
        (80.38, 5.86),
        (92.69, 0.54),
        (82.19, 9.26),
        (94.25, 2.95),
        (95.63, 0.21),
    ),
)
CIFAR10 = _table(
    ("acc_rt", "acc_ut"),
    (
        (83.80, 63.97),
        (86.57, 0.0),
        (87.60, 6.43),
        (80.69, 4.70),
        (88.29, 4.10),
        (76.89, 1.77),
        (85.51, 2.20),
        (68.54, 4.23),
        (87.51, 6.47),
        (80.77, 4.60),
        (84.51, 6.27),
        (80.78, 4.67),
        (74.67, 9.83),
        (85.47, 1.40),
    ),
)
CIFAR100 = _table(
    ("acc_rt", "acc_ut"),
    (
        (73.31, 72.07),
        (75.36, 0.0),
        (74.68, 2.33),
        (66.63, 0.33),
        (75.15, 3.00),
        (66.01, 2.33),
        (71.94, 8.33),
        (24.69, 8.67),
        (74.68, 1.67),
        (67.82, 0.0),
        (50.03, 0.0),
        (69.51, 3.00),
        (63.53, 6.00),
        (75.54, 2.00),
    ),
)
SVHN_THREE = _table(
    ("acc_rt", "acc_ut", "mia.entropy_svc"),
    (
        (95.39, 94.41, 67.57),
        (95.90, 0.0, 39.38),
        (96.67, 0.03, 36.28),
        (52.38, 0.23, 51.30),
        (95.06, 0.0, 52.44),
        (32.43, 1.24, 49.73),
        (92.96, 0.61, 64.00),
        (18.48, 0.25, 40.61),
        (96.48, 0.14, 40.82),
        (52.48, 0.24, 49.91),
        (95.18, 12.36, 50.06),
        (53.64, 0.45, 47.95),
        (72.78, 0.0, 43.19),
        (96.58, 0.31, 47.81),
    ),
)
BACKDOOR: Figures = {
    "original": {"acc_rt": 84.12, "acc_ut": 67.20, "attack": 89.09},
    "retrain": {"acc_rt": 83.96, "acc_ut": 0.0},
    "zspag": {"acc_rt": 85.33, "acc_ut": 0.96, "attack": 0.24},
}
ATTACKS: Figures = {
    "original": CIFAR10["original"],
    "retrain": CIFAR10["retrain"],
    "pgd": {"acc_rt": 85.47, "acc_ut": 1.40},
    "fgsm": {"acc_rt": 85.43, "acc_ut": 2.00},
    "cw": {"acc_rt": 84.46, "acc_ut": 0.90},
    "deepfool": {"acc_rt": 85.49, "acc_ut": 0.72},
}
ABLATIONS: Figures = {
    "original": SVHN["original"],
    "retrain": SVHN["retrain"],
    "rl": {"acc_rt": 80.41, "acc_ut": 5.91},
    "random_rl": {"acc_rt": 59.08, "acc_ut": 1.15},
    "estimated_rl": {"acc_rt": 95.01, "acc_ut": 1.46},
    "zspag": SVHN["zspag"],
}
OVERHEAD: Figures = {
    "retrain": {"seconds": 4927, "acc_rt": 75.36, "acc_ut": 0.0},
    "salun": {"seconds": 313, "acc_rt": 74.68, "acc_ut": 1.67},
    "finetune": {"seconds": 314, "acc_rt": 74.68, "acc_ut": 2.33},
    "boundary_shrink": {"seconds": 316, "acc_rt": 69.51, "acc_ut": 3.00},
    "neggrad": {"seconds": 612, "acc_rt": 75.15, "acc_ut": 3.00},
    "fisher": {"seconds": 1294, "acc_rt": 50.03, "acc_ut": 0.0},
    "zspag": {"seconds": 508, "acc_rt": 75.54, "acc_ut": 2.00},
}
