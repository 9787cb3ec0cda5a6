"""`python -m fixlab` does what the `fixlab` command does."""

from __future__ import annotations

import sys

from fixlab.cli import main

if __name__ == "__main__":
    sys.exit(main())
