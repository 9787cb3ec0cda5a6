"""The runner stores a notebook the same way every time, and nothing of the run itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tools import run_notebooks
from tests.tools.run_notebooks import normalised, run, stored_text


def code(text: str, *outputs: dict[str, Any], count: int | None = 1) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": count,
        "id": "a-cell",
        "metadata": {"execution": {"iopub.status.busy": "2026-11-22T10:00:00Z"}},
        "outputs": list(outputs),
        "source": text,
    }


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def only_cell(*cells: dict[str, Any]) -> Any:
    notebook = {"cells": list(cells), "metadata": {"widgets": {"state": {}}}}
    return normalised(notebook)["cells"][0]


def test_times_and_widget_state_are_not_stored() -> None:
    stored = normalised({"cells": [code("1")], "metadata": {"widgets": {"state": {}}}})
    assert stored["cells"][0]["metadata"] == {}
    assert set(stored["metadata"]) == {"kernelspec", "language_info"}
    assert stored["metadata"]["kernelspec"]["name"] == "python3"
    assert "version" not in stored["metadata"]["language_info"]


def test_pieces_of_one_stream_are_joined_and_others_kept_apart() -> None:
    pieces = [stream("a\nb"), stream("c\n"), stream("bad\n", "stderr"), stream("d")]
    texts = [(o["name"], o["text"]) for o in only_cell(code("1", *pieces))["outputs"]]
    assert texts == [
        ("stdout", ["a\n", "bc\n"]),
        ("stderr", ["bad\n"]),
        ("stdout", ["d"]),
    ]


def test_a_widget_is_stored_as_html_where_it_has_a_static_form() -> None:
    view = "application/vnd.jupyter.widget-view+json"
    data = {"text/html": "<b>1</b>", "text/plain": "one", view: {"model_id": "f00"}}
    shown = {"output_type": "execute_result", "data": data, "execution_count": 9}
    stored = only_cell(code("panel", shown, count=9))["outputs"][0]
    assert stored["data"] == {"text/html": ["<b>1</b>"], "text/plain": ["one"]}
    assert stored["execution_count"] == 1


def test_counts_follow_the_cells_and_cells_never_run_stay_visible() -> None:
    cells = [code("1", count=7), code("2", count=None), code("3", count=9)]
    stored = normalised({"cells": cells, "metadata": {}})["cells"]
    assert [cell["execution_count"] for cell in stored] == [1, None, 2]


def test_a_second_run_leaves_the_file_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "00_small.ipynb"
    written = normalised({"cells": [code("print(1)\nprint(2)\n1 + 1", count=None)]})
    path.write_text(stored_text(written), encoding="utf-8")
    monkeypatch.setattr(run_notebooks, "FOLDER", tmp_path)
    assert run_notebooks.main(["--check"]) == 1
    assert run_notebooks.main([]) == 0
    first = path.read_text(encoding="utf-8")
    assert run(path) == first
    (cell,) = json.loads(first)["cells"]
    assert cell["execution_count"] == 1
    assert cell["outputs"][0]["text"] == ["1\n", "2\n"]
    assert capsys.readouterr().out.count("00_small.ipynb") == 2


def test_an_unknown_name_is_told_with_the_known_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "00_small.ipynb").touch()
    monkeypatch.setattr(run_notebooks, "FOLDER", tmp_path)
    with pytest.raises(SystemExit, match="no notebook begins with 9; there are: 00_small"):
        run_notebooks.main(["9"])
