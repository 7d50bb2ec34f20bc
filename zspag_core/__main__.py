"""Entry point of `python -m zspag_core`."""

import sys

from zspag_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
