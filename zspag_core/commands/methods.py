"""List the unlearning methods and their hyper-parameters; the same schema builds the dashboard's forms."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `methods`."""
    parser.add_argument("--json", action="store_true", help="print the schema as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the list."""
    from zspag_core.methods import describe_methods
    from zspag_core.methods.catalogue import find_entry

    methods = describe_methods()
    if arguments.json:
        print(json.dumps(methods, indent=1, ensure_ascii=False))  # noqa: T201
        return 0
    for method in methods:
        print(f"{method['name']}: {method['title']}{' (needs remaining data)' if method['needs_retain'] else ''}")  # noqa: T201
        for parameter in method["parameters"]:
            print(f"    {parameter['name']} = {parameter['default']}  {_range(parameter)}\n        {parameter['help']}")  # noqa: T201
        for name, settings in find_entry(method["name"]).all_presets.items():
            print(f'  --preset "{name}": {", ".join(f"{k}={v}" for k, v in settings.items())}')  # noqa: T201
    return 0


def _range(parameter: dict[str, Any]) -> str:
    """Say type, unit and range in a few words."""
    if parameter["choices"]:
        return "(" + ", ".join(parameter["choices"]) + ")"
    bounds = [f"{name} {parameter[name]:g}" for name in ("min", "max") if parameter[name] is not None]
    return "(" + ", ".join([parameter["type"], *([parameter["unit"]] if parameter["unit"] else []), *bounds]) + ")"
