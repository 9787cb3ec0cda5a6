"""Imports go down the layers only, and the layers below frames need only Python itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fixlab"

# Unit -> what it may import from fixlab, by unit or module. A unit is a top-level module or a
# package, which may always import from itself.
LAYER_0 = ("errors", "times", "rules", "redact", "facts", "vocabulary")
# Names of the values in a frame's columns: no behaviour, so readers of frames may use them.
VOCABULARY = ("session.transitions", "wire.tags")
LAYER_2 = (*LAYER_0, "wire", "dictionary", "stores")
LAYER_4 = (*LAYER_2, "session", "frames", "journal", "faults")
BELOW_PANELS = (
    *(*LAYER_4, "sim", "net", "sql", "logs"),
    *("engines", "analysis", "conformance", "surgeon", "plots"),
)
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "errors": (),
    "rules": (),
    "times": ("errors",),
    "redact": ("errors",),
    "facts": ("errors",),
    "vocabulary": (),
    "pages": ("redact", "rules"),
    "wire": LAYER_0,
    "dictionary": (*LAYER_0, "wire"),
    "stores": LAYER_0,
    "session": LAYER_2,
    "frames": (*LAYER_0, "session.transitions"),
    "journal": (*LAYER_0, "session.transitions", "frames"),
    "faults": (*LAYER_2, "session"),
    "sim": LAYER_4,
    "net": LAYER_4,
    # A row is decoded on demand: the message in it, and what its fields are called.
    "logs": (*LAYER_0, "wire", "dictionary", "frames"),
    "analysis": (*LAYER_0, "pages", "frames", *VOCABULARY),
    "engines": LAYER_0,
    # The logs and the analysis, in parts and over machines.
    "spread": (*LAYER_0, "frames", "logs", "analysis"),
    "conformance": (*LAYER_4, "pages", "sim", "net", "logs", "engines"),
    "sql": (*LAYER_2, "session"),
    "surgeon": (*LAYER_0, "wire", "stores", "frames"),
    "plots": (*LAYER_0, "frames", "analysis", *VOCABULARY),
    "panels": BELOW_PANELS,
    "cli": BELOW_PANELS,
    "__main__": ("cli",),
}
EXTRA = {
    # What plays a log back drives a session, on messages as they came.
    "analysis/_replay.py": ("session", "wire"),
    "analysis/_rehearsal.py": ("session", "wire"),
    "analysis/_stage.py": ("session", "stores", "wire"),
    "analysis/_connecting.py": ("session", "wire"),
    "analysis/_answers.py": ("wire",),
    "analysis/_speech.py": ("session", "wire"),
    # Writes a page with pictures, and loads what draws them for it on first use.
    "analysis/findings.py": ("plots",),
    # Tells a run in plain text, and loads the ladder for it on first use.
    "sim/shrinking.py": ("plots",),
    # Names what lives in the surgeon, and loads it on first use.
    "stores/__init__.py": ("surgeon",),
}
FRAMES = ("pandas", "numpy")
THIRD_PARTY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "frames",
            "journal",
            "net",
            "analysis",
            "conformance",
            "surgeon",
            "spread",
        ),
        FRAMES,
    ),
    "sim": (*FRAMES, "tqdm"),
    "logs": (*FRAMES, "tqdm"),
    # What reads captures, URLs and Parquet is loaded when it is asked for.
    "sql": ("sqlalchemy",),
    "engines": ("quickfix", "fixcore"),
    "plots": (*FRAMES, "matplotlib"),
    "panels": (*FRAMES, "matplotlib", "ipywidgets", "anywidget", "traitlets", "IPython"),
    "cli": (*FRAMES, "matplotlib"),
}
BARE_UNITS = (
    "errors",
    "times",
    "rules",
    "redact",
    "facts",
    "vocabulary",
    "wire",
    "dictionary",
    "stores",
    "session",
)
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if "_notebooks" not in p.parts)
NAMES = [path.relative_to(PACKAGE).as_posix() for path in MODULES]


def unit_of(name: str) -> str:
    return name.split("/")[0].removesuffix(".py")


def module_of(name: str) -> str:
    return ".".join(["fixlab", *name.removesuffix(".py").split("/")]).removesuffix(".__init__")


def imports_of(source: str) -> set[str]:
    """Dotted names imported anywhere in `source`, `from a import b` as `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def violations(name: str, source: str) -> list[str]:
    unit = unit_of(name)
    allowed = (unit, *MAY_IMPORT[unit], *EXTRA.get(name, ()))
    third_party = THIRD_PARTY.get(unit, ())
    bad = []
    for target in sorted(imports_of(source)):
        top, _, rest = target.partition(".")
        if top == "fixlab":
            ok = rest == "__version__" or any(f"{rest}.".startswith(f"{a}.") for a in allowed)
        else:
            ok = top in sys.stdlib_module_names or top in third_party
        if not ok:
            bad.append(target)
    return bad


def test_the_package_is_found() -> None:
    assert "errors.py" in NAMES
    assert "session/config.py" in NAMES


@pytest.mark.parametrize("name", [n for n in NAMES if n != "__init__.py"])
def test_a_module_imports_only_from_below(name: str) -> None:
    assert unit_of(name) in MAY_IMPORT, f"{name} has no place in the layers"
    source = (PACKAGE / name).read_text(encoding="utf-8")
    assert violations(name, source) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("wire/message.py", "from fixlab.session.config import SessionConfig"),
        ("session/session.py", "import pandas as pd"),
        ("sim/loopback.py", "def f():\n    from fixlab.net.driver import Driver"),
        ("frames.py", "from fixlab.session.session import Session"),
        ("plots/_sequence.py", "import ipywidgets"),
        ("times.py", "import fixlab.rules"),
    ],
)
def test_an_import_from_above_is_noticed(name: str, source: str) -> None:
    assert violations(name, source)


def test_no_module_bears_the_name_of_a_function_beside_it() -> None:
    # Importing the module would replace the function in its package.
    for name in NAMES:
        init = PACKAGE / name
        if init.name != "__init__.py" or init.parent == PACKAGE:
            continue
        tree = ast.parse(init.read_text(encoding="utf-8"))
        exported = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        modules = {path.stem for path in init.parent.glob("*.py")}
        assert not exported & modules, f"in {name}"


def test_layers_0_to_3_import_with_everything_else_blocked() -> None:
    modules = [module_of(name) for name in NAMES if unit_of(name) in BARE_UNITS]
    code = (
        "import sys\n"
        "for name in ('pandas', 'numpy', 'matplotlib', 'ipywidgets'):\n"
        "    sys.modules[name] = None\n"
        "import importlib\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
