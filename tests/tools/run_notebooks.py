"""Run notebooks, each in a fresh kernel, and store their outputs the same way every time.

    python tests/tools/run_notebooks.py                  # all of them
    python tests/tools/run_notebooks.py 00 01_gaps       # those whose names begin so
    python tests/tools/run_notebooks.py --check          # only say which files would change

A second run leaves each file as it is, byte for byte: what differs between runs (times of
execution, models of widgets, the kernel's version) is not stored.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parents[2] / "notebooks"
CELL_SECONDS_MAX = 60
BYTES_MAX = 1 << 20

_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# No version: the next Python would change every file.
_LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"}
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def normalised(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook as it is stored: what differs between two runs is left out.

    Sources, outputs and cell ids stay; ids that are missing are made from the position.
    Execution counts become 1, 2, 3, ... where there are any.
    """
    cells = [_cell(cell, position) for position, cell in enumerate(notebook["cells"])]
    count = 0
    for cell in cells:
        if cell.get("execution_count") is not None:
            count += 1
            _number(cell, count)
    return {
        "cells": cells,
        "metadata": {"kernelspec": dict(_KERNEL), "language_info": dict(_LANGUAGE)},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def stored_text(notebook: dict[str, Any]) -> str:
    """A normalised notebook as the text of its file, laid out as JupyterLab does."""
    text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True)
    return f"{text}\n"


def run(path: Path) -> str:
    """Run the notebook at `path` in a fresh kernel; returns the text to store.

    Raises what `nbclient` raises when a cell fails or takes too long.
    """
    notebook = json.loads(path.read_text(encoding="utf-8"), object_hook=NotebookNode)
    for cell in notebook.cells:
        cell.source = _text(cell.source)
    client = NotebookClient(
        notebook,
        kernel_name=_KERNEL["name"],
        timeout=CELL_SECONDS_MAX,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    return stored_text(normalised(notebook))


def _cell(cell: dict[str, Any], position: int) -> dict[str, Any]:
    kept = {
        "cell_type": cell["cell_type"],
        "id": cell.get("id") or f"cell-{position:02d}",
        "metadata": {},
        "source": _lines(cell["source"]),
    }
    if cell["cell_type"] == "code":
        kept["execution_count"] = cell.get("execution_count")
        kept["outputs"] = [_output(output) for output in _joined(cell["outputs"])]
    return kept


def _number(cell: dict[str, Any], count: int) -> None:
    cell["execution_count"] = count
    for output in cell["outputs"]:
        if output["output_type"] == "execute_result":
            output["execution_count"] = count


def _output(output: dict[str, Any]) -> dict[str, Any]:
    if "data" not in output:
        return dict(output)
    data = {
        kind: _lines(value) if kind.startswith("text/") else value
        for kind, value in output["data"].items()
    }
    if "text/html" in data:
        # The model lives in a kernel: a reader without one sees the HTML form instead.
        data.pop(_WIDGET_VIEW, None)
    return {**output, "data": data, "metadata": {}}


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Neighbouring pieces of one stream as one: how it is cut is a matter of timing."""
    joined: list[dict[str, Any]] = []
    for output in outputs:
        if output["output_type"] != "stream":
            joined.append(output)
            continue
        text = _text(output["text"])
        last = joined[-1] if joined else {}
        if last.get("name") == output["name"]:  # only a stream has a name
            text = _text(joined.pop()["text"]) + text
        joined.append({**output, "text": _lines(text)})
    return joined


def _text(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _lines(text: str | list[str]) -> list[str]:
    return _text(text).splitlines(keepends=True)


def _chosen(names: Sequence[str]) -> list[Path]:
    paths = sorted(FOLDER.glob("*.ipynb"))
    unknown = [name for name in names if not any(p.name.startswith(name) for p in paths)]
    if unknown:
        known = ", ".join(path.stem for path in paths)
        sys.exit(f"no notebook begins with {', '.join(unknown)}; there are: {known}")
    return [p for p in paths if not names or p.name.startswith(tuple(names))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line names; 1 when a file is too large, or would change."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="how the names begin; none for all")
    parser.add_argument("--check", action="store_true", help="store nothing")
    given = parser.parse_args(arguments)
    failed = False
    for path in _chosen(given.names):
        text = run(path)
        changed = text != path.read_text(encoding="utf-8")
        size = len(text.encode())
        if changed and not given.check:
            path.write_text(text, encoding="utf-8", newline="\n")
        verdict = ("differs" if given.check else "stored") if changed else "as it was"
        print(f"{path.name}: {size >> 10} KiB, {verdict}")
        failed |= size > BYTES_MAX or (changed and given.check)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
