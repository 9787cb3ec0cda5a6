"""README's two command lines: one each, pasteable, and the one that CI runs."""

import ast
import asyncio
import inspect
import re
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def code_under(heading: str) -> list[str]:
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", README, re.M | re.S)
    assert section, f"README has no heading '## {heading}'"
    blocks = re.findall(r"^```.*?\n(.*?)^```$", section[1], re.M | re.S)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("heading", ["Run", "Test"])
def test_exactly_one_command_line_that_sets_itself_up(heading: str) -> None:
    (line,) = code_under(heading)
    assert line.startswith("python3 -m venv .venv && ")
    assert not line.endswith("\\")


def test_run_ends_in_the_demo_and_test_in_the_whole_suite() -> None:
    assert code_under("Run")[0].endswith("/fixlab demo")
    assert code_under("Test")[0].endswith("-m pytest")


def test_ci_takes_its_test_line_from_here() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert '"## Test"' in script
    assert "-m pytest" not in script


def test_pictures_and_files_named_here_exist() -> None:
    for path in re.findall(r"\]\(((?!https?:)[^)]+)\)", README):
        assert (ROOT / path).exists(), f"README points at {path}, which does not exist"
    for name in re.findall(r"^- `(\d\d_\w+)`", README, re.M):
        assert (ROOT / f"notebooks/{name}.ipynb").exists(), f"no notebook {name}"


def test_the_examples_run_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    examples = re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S)
    assert len(examples) == 4
    for example in examples:
        code = compile(example, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        names: dict[str, object] = {}

        result = eval(code, names)  # a coroutine when the example awaits
        if inspect.iscoroutine(result):
            asyncio.run(result)
        if "found" in names:
            assert {"APP_MSG_FILLED_OVER", "SEQ_TOO_LOW"} <= set(names["found"].table["code"])  # type: ignore[attr-defined]
            continue
        recorded = names["transitions"]
        assert isinstance(recorded, pd.DataFrame)
        assert len(recorded) > 4
