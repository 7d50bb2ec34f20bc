"""The benchmark's record as text."""

from __future__ import annotations

from typing import Any

AIMS = (
    ("total_to_floor", "this implementation / its floor", "at most", 1.5),
    ("literal_to_fast", "literal / this, before the loop", "at least", 10.0),
    ("retrain_to_fast", "100 epochs of retraining / this", "at least", 100.0),
    ("memory_growth", "peak memory, n_adv 1000 / n_adv 100", "at most", 1.2),
)
STAGES = ("proxies", "subspace", "labels", "unlearn", "total")


def as_text(record: dict[str, Any]) -> str:
    """Say everything that was measured, in lines."""
    parts = [_head(record), _table(record), _passes(record), _literal(record), _retrain(record), _memory(record)]
    return "\n\n".join([*parts, _aims(record)])


def _head(record: dict[str, Any]) -> str:
    machine, settings = record["machine"], record["settings"]
    return (
        f"{record['data']}, forget {','.join(map(str, record['forget']))} ({record['forget_images']} samples), "
        f"{machine['device']}, {machine['threads']} threads, torch {machine['torch']}\n"
        f"n_adv {settings['n_adv']}, label_mode {settings['label_mode']}: {record['proxies']} proxies, "
        f"{record['epochs']:.2g} epochs"
    )


def _table(record: dict[str, Any]) -> str:
    """Return seconds per stage of all that have stages."""
    literal = record["literal"]
    slow = {} if literal is None else literal["seconds"] | {"total": sum(literal["seconds"].values())}
    lines = [f"{'seconds':<10}{'this':>10}{'floor':>10}{'this/floor':>12}{'literal':>12}{'literal/this':>14}"]
    for stage in STAGES:
        fast, floor = record["fast"]["seconds"].get(stage, 0.0), record["floor"]["seconds"][stage]
        lines.append(
            f"{stage:<10}{fast:>10.3f}{floor:>10.3f}{_ratio(fast, floor):>12}"
            f"{_number(slow.get(stage)):>12}{_ratio(slow.get(stage), fast):>14}"
        )
    return "\n".join(lines)


def _passes(record: dict[str, Any]) -> str:
    """Say what the floor is made of."""
    floor = record["floor"]
    lines = ["the floor: images through the network at the measured cost of one, and the linear algebra alone"]
    lines += [
        f"  {part['stage']:<9} {part['kind']:<14}{part['images']:>9} images x "
        f"{1e3 * part['seconds_per_image']:.3f} ms (batch {part['batch']})"
        for part in floor["passes"]
    ]
    words = {"eigh": "10⁹ side³", "product": "10⁹ multiply-adds"}
    lines += [
        f"  subspace  {name:<14}{row['count']:>9.0f} ({row['billions']:.2f} {words[name]}): {row['seconds']:.3f} s"
        for name, row in floor["operations"].items()
    ]
    return "\n".join(lines)


def _literal(record: dict[str, Any]) -> str:
    """Say on what part the literal implementation was measured."""
    literal = record["literal"]
    if literal is None:
        return str(record["literal_missing"])
    return (
        f"literal: attack, labels and loop measured on {literal['samples']} of {literal['of_samples']} samples, input "
        f"matrices on {literal['proxies']} of {literal['of_proxies']} proxies (whole classes), scaled per image; "
        f"{sum(literal['measured_seconds'].values()):.1f} s measured"
    )


def _retrain(record: dict[str, Any]) -> str:
    """Say on what part retraining was measured."""
    found = record["retrain"]
    return (
        f"retraining: {found['measured_images']} of {found['of_images']} images of an epoch measured, "
        f"{found['epoch_seconds']:.2f} s an epoch, {found['epochs']} epochs {found['seconds']:.0f} s"
    )


def _memory(record: dict[str, Any]) -> str:
    """Say peak memory beyond what was held before."""
    literal = record["literal"]
    line = f"peak memory beyond model and data: this {record['fast']['peak_mib']:.0f} MiB"
    if literal is not None:
        line += f", literal {literal['peak_mib']:.0f} MiB"
    rows = [
        f"  n_adv {row['n_adv']}: {row['peak_mib']:.0f} MiB, of which {row['proxies_mib']:.1f} MiB are the "
        f"{row['proxies']} proxies"
        for row in record["memory"] or []
    ]
    return "\n".join([line, *rows])


def _aims(record: dict[str, Any]) -> str:
    """Say each aim and whether it was met."""
    lines = []
    for name, words, side, aim in AIMS:
        value = record["ratios"][name]
        if value is not None:
            met = value <= aim if side == "at most" else value >= aim
            lines.append(f"{words}: {value:.2f} (aim: {side} {aim:g}, {'met' if met else 'missed'})")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _ratio(value: float | None, base: float) -> str:
    return "-" if value is None or base < 1e-6 else f"{value / base:.2f}"
