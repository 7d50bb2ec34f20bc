"""One module per command: `add_arguments(parser)` and `run(arguments) -> exit code`; heavy imports inside `run`."""
