"""Which module imports which: `python docs/measurements/rooms.py` prints import circles and how far each page reaches.

Read with `ast`, so that imports for types alone and imports inside functions count, too.
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("zspag_core", "ui", "pages")


def main() -> int:
    """Print the circles, and the number of modules that each entry reaches; exit with 1 where there is a circle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtime", action="store_true", help="leave imports for types alone aside")
    chosen = parser.parse_args()
    graph = imports(ROOT, types=not chosen.runtime)
    circles = [group for group in components(graph) if len(group) > 1]
    for group in circles:
        print("circle of", len(group), ":", ", ".join(sorted(group)))
    print(f"{len(graph)} modules, {sum(map(len, graph.values()))} imports, {len(circles)} circles")
    for name in sorted(graph):
        if name.startswith("pages.") or name in {"app", "zspag_core.commands.unlearn"}:
            print(f"{name}: reaches {len(reached(graph, name)) - 1} modules")
    return int(bool(circles))


def imports(root: Path, *, types: bool = True) -> dict[str, set[str]]:
    """Return the modules of this project that each of its modules imports.

    Args:
        root: of the repository.
        types: whether imports under `if TYPE_CHECKING` count.
    """
    files = {"app": root / "app.py"}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: _imported(path, name, set(files), types=types) for name, path in files.items()}


def _imported(path: Path, name: str, known: set[str], *, types: bool) -> set[str]:
    """Return the known modules that one file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in _nodes(tree, types=types):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in known}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            inner = parts & known
            found |= inner
            if len(inner) < len(parts) and node.module in known:
                found.add(node.module)
    return found - {name}


def _nodes(tree: ast.AST, *, types: bool) -> list[ast.AST]:
    """Return every node, without those that only a type checker reads where these do not count."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        found.append(node)
        for child in ast.iter_child_nodes(node):
            test = getattr(child, "test", None)
            if not types and isinstance(child, ast.If) and getattr(test, "id", "") == "TYPE_CHECKING":
                continue
            waiting.append(child)
    return found


def reached(graph: dict[str, set[str]], start: str) -> set[str]:
    """Return all modules that one imports, itself or through others."""
    seen, waiting = {start}, [start]
    while waiting:
        for name in graph[waiting.pop()] - seen:
            seen.add(name)
            waiting.append(name)
    return seen


def components(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the groups of modules that reach each other."""
    reach = {name: reached(graph, name) for name in graph}
    groups: list[set[str]] = []
    done: set[str] = set()
    for name in graph:
        if name not in done:
            group = {other for other in reach[name] if name in reach[other]}
            groups.append(group)
            done |= group
    return groups


if __name__ == "__main__":
    sys.exit(main())
