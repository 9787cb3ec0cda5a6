"""The notebooks keep the rules that make them good to read and safe to compare.

nbval reruns them and compares what they show. What it does not see is held here: cells that
were never run, pictures without their numbers, results hidden by a semicolon.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tools.run_notebooks import BYTES_MAX, normalised, stored_text

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LINES_MAX = 15
WIDTH_MAX = 96
CLOCKS = {"time", "datetime", "timeit"}  # modules that a notebook has no use for
LOOPBACK_DAY = "2026-01-05"  # where virtual time starts; any other day would be a wall clock's

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def notebook(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = notebook(path)["cells"]
    return found


def code_cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in cells(path) if cell["cell_type"] == "code"]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def tree(cell: dict[str, Any]) -> ast.Module:
    """The cell's code; fails on magics and shell commands, which are no Python."""
    parsed = compile(
        source(cell),
        cell["id"],
        "exec",
        flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
    )
    assert isinstance(parsed, ast.Module)
    return parsed


def outputs(path: Path) -> Iterator[tuple[str, str, str]]:
    """Cell id, kind and text of all that a reader sees, pictures left out."""
    for cell in code_cells(path):
        for output in cell["outputs"]:
            if output["output_type"] == "stream":
                yield cell["id"], output["name"], "".join(output["text"])
            for kind, data in output.get("data", {}).items():
                if kind.startswith("text/"):
                    yield cell["id"], kind, "".join(data)


def assigned(module: ast.Module) -> set[str]:
    """Names that the cell binds for the cells after it."""
    found: set[str] = set()

    def look(node: ast.AST) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)  # its inside is its own
                return
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp():
                return
            case ast.GeneratorExp():
                return
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    found.add((alias.asname or alias.name).partition(".")[0])
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
        for child in ast.iter_child_nodes(node):
            look(child)

    look(module)
    return found


def test_is_stored_as_the_runner_stores_it(path: Path) -> None:
    stored = path.read_text(encoding="utf-8")
    assert stored == stored_text(normalised(json.loads(stored))), (
        f"{path.name} was saved by hand: run tests/tools/run_notebooks.py {path.stem}"
    )
    assert len(stored.encode()) <= BYTES_MAX


def test_every_cell_has_an_id_of_its_own(path: Path) -> None:
    ids = [cell["id"] for cell in cells(path)]
    assert len(set(ids)) == len(ids)


def test_was_run_from_top_to_bottom_without_errors(path: Path) -> None:
    counts = [cell["execution_count"] for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))
    kinds = {output["output_type"] for cell in code_cells(path) for output in cell["outputs"]}
    assert kinds <= {"stream", "execute_result", "display_data"}


def test_prints_no_warnings(path: Path) -> None:
    assert [where for where, kind, _ in outputs(path) if kind == "stderr"] == []


def test_first_cell_asks_and_last_cell_answers(path: Path) -> None:
    first, last = cells(path)[0], cells(path)[-1]
    assert first["cell_type"] == last["cell_type"] == "markdown"
    title = source(first).splitlines()[0]
    assert title.startswith("# ")
    assert title.endswith("?")
    assert source(last).startswith("## Answer\n")


def test_cells_are_short_enough_to_take_in(path: Path) -> None:
    for cell in code_cells(path):
        lines = source(cell).splitlines()
        assert 0 < len(lines) <= LINES_MAX, f"{cell['id']}: {len(lines)} lines"
        assert max(map(len, lines)) <= WIDTH_MAX, cell["id"]


def test_imports_stand_in_the_first_code_cell(path: Path) -> None:
    first, *others = code_cells(path)
    assert any(isinstance(node, ast.Import) for node in tree(first).body)
    for cell in others:
        imports = [node for node in ast.walk(tree(cell)) if _is_import(node)]
        assert imports == [], cell["id"]


def test_each_name_is_assigned_in_one_cell(path: Path) -> None:
    home: dict[str, str] = {}
    for cell in code_cells(path):
        for name in sorted(assigned(tree(cell)) - {"_"}):
            assert home.setdefault(name, cell["id"]) == cell["id"], (
                f"{name} is assigned in {home[name]} and in {cell['id']}"
            )


def test_nothing_waits_for_a_clock(path: Path) -> None:
    for cell in code_cells(path):
        for node in ast.walk(tree(cell)):
            if isinstance(node, ast.Attribute | ast.Name):
                name = node.attr if isinstance(node, ast.Attribute) else node.id
                assert name not in ("sleep", "now", "today", "perf_counter"), cell["id"]
            if _is_import(node):
                assert not _imported(node) & CLOCKS, cell["id"]


def test_no_result_is_hidden(path: Path) -> None:
    for cell in code_cells(path):
        assert not re.search(r";\s*(#.*)?$", source(cell), re.MULTILINE), cell["id"]


def test_shows_nothing_of_the_machine_or_the_moment(path: Path) -> None:
    forbidden = {
        "a memory address": r"\b0x[0-9a-fA-F]{6,}",
        "an absolute path": r"(?<![\w<./])/(?:home|root|tmp|usr|var|work|opt|Users|private)/",
        "a drive": r"\b[A-Z]:\\",
        # "SL 4.8.5.1" is a section of the session layer specification.
        "a network address": r"(?<!SL )\b\d{1,3}(?:\.\d{1,3}){3}\b|\blocalhost\b",
        "a port": r"\bport\W{1,3}\d|\w:\d{4,5}\b",
    }
    for where, _, text in outputs(path):
        for what, pattern in forbidden.items():
            found = re.search(pattern, text)
            assert found is None, f"{where} shows {what}, found {found!r}"
        for day in re.findall(r"\b20\d\d-?[01]\d-?[0-3]\d\b", text):
            assert day.replace("-", "") == LOOPBACK_DAY.replace("-", ""), f"{where}: {day}"


def test_every_picture_has_its_numbers_beside_it(path: Path) -> None:
    # A picture is not compared, so the cell or the next one shows what it draws.
    found = code_cells(path)
    for cell, following in zip(found, [*found[1:], None], strict=True):
        if not _kinds(cell) & {"image/png", "image/jpeg", "image/svg+xml"}:
            continue
        near = [cell] if following is None else [cell, following]
        assert any(_shows_numbers(one) for one in near), cell["id"]


def _kinds(cell: dict[str, Any]) -> set[str]:
    return {kind for output in cell["outputs"] for kind in output.get("data", {})}


def _shows_numbers(cell: dict[str, Any]) -> bool:
    """Whether it shows a table, or a ladder in text."""
    for output in cell["outputs"]:
        if "<table" in "".join(output.get("data", {}).get("text/html", "")):
            return True
        if "seconds in/out" in "".join(output.get("text", "")):
            return True
    return False


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").partition(".")[0]}
    assert isinstance(node, ast.Import)
    return {alias.name.partition(".")[0] for alias in node.names}
