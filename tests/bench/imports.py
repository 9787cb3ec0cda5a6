"""What `import fixlab` costs, against Python with nothing imported."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from functools import partial

from tests.bench.measure import Row, interleaved, table

_NEVER = ("pandas", "numpy", "matplotlib", "ipywidgets", "IPython")
_COUNT = "import sys, json; print(json.dumps(sorted(sys.modules)))"


def run() -> None:
    """Print the table."""
    codes = {
        "python": "pass",
        "import fixlab": "import fixlab",
        "import fixlab; fixlab.Session": "import fixlab; fixlab.Session",
        "import pandas": "import pandas",
    }
    found = interleaved({name: partial(_seconds, code) for name, code in codes.items()})
    rows = []
    for name, code in codes.items():
        modules = _modules(code)
        heavy = [module for module in _NEVER if module in modules]
        rows.append(
            Row(
                name,
                f"{found[name] * 1000:.0f} ms",
                f"{found[name] / found['python']:.2f}x",
                f"{len(modules)} modules, {', '.join(heavy) or 'none of ' + ', '.join(_NEVER)}",
            )
        )
    table("Import", "A new process each time, wall time; the ratio is to bare Python.", rows)


def _seconds(code: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begin


def _modules(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{_COUNT}"], check=True, capture_output=True, text=True
    )
    modules: list[str] = json.loads(done.stdout)
    return modules
