"""Ways to damage a file: blindly, byte by byte, and knowing its form."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from typing import TYPE_CHECKING

from tests.campaign.structures import HALF, LONG, change_arrays, change_payload, change_rows, change_table

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

EXTREMES = (0, 1, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
HOSTILE_NAMES = (
    "../../out.png",
    "/etc/out.png",
    "a" * 300 + ".png",
    "C:\\out.png",
    "\u202egnp.exe",
    "",
    ".",
    "con/1.png",
)
CHANGES = {
    "npz": change_arrays,
    "csv": change_table,
    "txt": change_table,
    "parquet": change_rows,
    **dict.fromkeys(("pt", "pth", "tar", "ckpt"), change_payload),
}
PICKLED = b"cos\nsystem\n(S'touch pwned'\ntR."
"""A pickle that would run a command."""
NESTED: list[object] = []
for _ in range(900):
    NESTED = [NESTED]
VALUES = (None, -1, 0, 2**70, 1e308, float("nan"), float("inf"), "", "x" * 10_000, [], {}, NESTED, "../..", True)
VALUES += (LONG, HALF, [HALF, "b", "c"], {LONG: "a"}, "a\nb", {"a": float("inf")}, [0.5, None])


def damage(content: bytes, rng: random.Random, kind: str = "") -> bytes:
    """Return damaged bytes: most with one damage, for many are refused at the door.

    Args:
        content: of a valid file.
        rng: chooses the damage.
        kind: the file's name; by its ending half of the files are changed in what they hold, and stay whole.
    """
    change = CHANGES.get(kind.rpartition(".")[2])
    if change is not None and rng.random() < 0.5:
        with contextlib.suppress(Exception):  # some changes do not go together with some values
            return change(content, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = rng.choice(_ways(content))(content, rng)
    return content


def _ways(content: bytes) -> list[Callable[[bytes, random.Random], bytes]]:
    ways = [_flip, _flip, _cut, _insert, _double, _blank, _number, _swap, _pickle]
    if content[:2] == b"PK":
        ways += [_member, _member, _name, _name, _drop, _twice]
    if content[:1] == b"{" or content[8:9] == b"{":
        ways += [_json, _json, _json]
    return ways


def _place(content: bytes, rng: random.Random) -> int:
    """Return a place, often near an end, where headers and directories lie."""
    size = max(1, len(content))
    near = rng.randrange(min(size, 600))
    return rng.choice((near, size - 1 - near, rng.randrange(size)))


def _flip(content: bytes, rng: random.Random) -> bytes:
    out = bytearray(content or b"\0")
    for _ in range(rng.choice((1, 1, 3, 30))):
        out[_place(content, rng) % len(out)] ^= 1 << rng.randrange(8)
    return bytes(out)


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: _place(content, rng)] if rng.random() < 0.7 else content[_place(content, rng) :]


def _insert(content: bytes, rng: random.Random) -> bytes:
    at = _place(content, rng)
    return content[:at] + rng.randbytes(rng.choice((1, 8, 1000))) + content[at:]


def _double(content: bytes, rng: random.Random) -> bytes:
    start = _place(content, rng)
    return content[:start] + content[start : start + 200] * rng.choice((2, 50)) + content[start:]


def _blank(content: bytes, rng: random.Random) -> bytes:
    start, size = _place(content, rng), rng.choice((1, 16, 400))
    return content[:start] + bytes(size) + content[start + size :]


def _number(content: bytes, rng: random.Random) -> bytes:
    at, size = _place(content, rng), rng.choice((2, 4, 8))
    value = rng.choice(EXTREMES) % 256**size
    return content[:at] + value.to_bytes(size, rng.choice(("little", "big"))) + content[at + size :]


def _swap(content: bytes, rng: random.Random) -> bytes:
    one, two = sorted((_place(content, rng), _place(content, rng)))
    return (
        content[:one]
        + content[two : two + 50]
        + content[one + 50 : two]
        + content[one : one + 50]
        + content[two + 50 :]
    )


def _pickle(content: bytes, rng: random.Random) -> bytes:
    at = rng.choice((0, 2, _place(content, rng)))
    return content[:at] + PICKLED + content[at:]


def _rewritten(content: bytes, change: Callable[[list[tuple[str, bytes]]], None]) -> bytes:
    """Return a zip whose members were changed; the same bytes where it is none any more."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    except Exception:
        return content
    if not members:
        return content
    change(members)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, inside in members:
            archive.writestr(zipfile.ZipInfo(name or "x"), inside)
    return out.getvalue()


def _member(content: bytes, rng: random.Random) -> bytes:
    def change(members: list[tuple[str, bytes]]) -> None:
        at = rng.randrange(len(members))
        name, inside = members[at]
        change = CHANGES.get(name.rpartition(".")[2]) if name.endswith(".csv") else None
        members[at] = (
            name,
            change(inside, rng) if change else rng.choice((_flip, _cut, _number, _pickle, _json, _blank))(inside, rng),
        )

    return _rewritten(content, change)


def _name(content: bytes, rng: random.Random) -> bytes:
    def change(members: list[tuple[str, bytes]]) -> None:
        at = rng.randrange(len(members))
        members[at] = rng.choice(HOSTILE_NAMES), members[at][1]

    return _rewritten(content, change)


def _drop(content: bytes, rng: random.Random) -> bytes:
    return _rewritten(content, lambda members: members.__delitem__(rng.randrange(len(members))))


def _twice(content: bytes, rng: random.Random) -> bytes:
    def change(members: list[tuple[str, bytes]]) -> None:
        members.append((members[rng.randrange(len(members))][0], rng.randbytes(50)))

    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return _rewritten(content, change)


def _json(content: bytes, rng: random.Random) -> bytes:
    """Replace a value of a JSON text, or of a safetensors header, whose length is written anew."""
    start = 8 if content[8:9] == b"{" else 0
    end = 8 + int.from_bytes(content[:8], "little") if start else len(content)
    try:
        tree = json.loads(content[start:end])
    except (ValueError, RecursionError):
        return content
    holder = tree if isinstance(tree, dict) else {}
    for _ in range(rng.randint(0, 3)):
        below = [value for value in holder.values() if isinstance(value, dict) and value]
        if not below:
            break
        holder = rng.choice(below)
    if not isinstance(holder, dict) or not holder:
        return content
    name = rng.choice(list(holder))
    if rng.random() < 0.2:
        del holder[name]
    else:
        holder[name] = rng.choice(VALUES)
    text = json.dumps(tree).encode()
    return len(text).to_bytes(8, "little") + text + content[end:] if start else text
