"""The same examples in every run, so that a change is all that can make a run fail.

`--hypothesis-profile=default` looks for others.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, print_blob=True)
settings.load_profile("fixed")
