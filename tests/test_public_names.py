"""The public names: exactly these, from these homes, and cheap to import."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import fixlab

PACKAGE = Path(fixlab.__file__).parent
HEAVY = ("pandas", "numpy", "matplotlib", "ipywidgets", "IPython", "asyncio", "sqlite3")

NAMES = {
    "Acceptor": "fixlab.net.acceptor",
    "Dictionary": "fixlab.dictionary",
    "Faults": "fixlab.faults",
    "FileStore": "fixlab.stores.quickfix",
    "Findings": "fixlab.analysis.findings",
    "FixLabError": "fixlab.errors",
    "FollowedLog": "fixlab.logs.read",
    "Initiator": "fixlab.net.initiator",
    "Journal": "fixlab.journal",
    "LinkFaults": "fixlab.faults",
    "Log": "fixlab.logs.read",
    "Loopback": "fixlab.sim.loopback",
    "MemoryStore": "fixlab.stores.memory",
    "Message": "fixlab.wire.message",
    "PeerFaults": "fixlab.faults",
    "RULES": "fixlab.rules",
    "Role": "fixlab.session.transitions",
    "SQLiteStore": "fixlab.stores.sqlite",
    "Scenario": "fixlab.sim.scenario",
    "Schedule": "fixlab.session.schedule",
    "Session": "fixlab.session.session",
    "SessionConfig": "fixlab.session.config",
    "SessionState": "fixlab.session.transitions",
    "Store": "fixlab.stores.base",
    "StoreFaults": "fixlab.faults",
    "Transition": "fixlab.session.transitions",
    "TransitionKind": "fixlab.session.transitions",
    "VirtualClock": "fixlab.times",
    "analyze": "fixlab.analysis.findings",
    "explain": "fixlab.dictionary",
    "gaps": "fixlab.analysis",
    "intervals": "fixlab.analysis",
    "ledger": "fixlab.analysis",
    "read_log": "fixlab.logs.read",
    "reconcile": "fixlab.analysis",
    "replay": "fixlab.analysis",
    "resends": "fixlab.analysis",
    "sweep": "fixlab.sim.sweeping",
}
PACKAGES = ("conformance", "panels", "plots", "sim", "spread", "stores")


def exists(module: str) -> bool:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_is_exactly_the_list() -> None:
    assert set(fixlab.__all__) == {*NAMES, *PACKAGES}
    assert {name for name in dir(fixlab) if not name.startswith("__")} == set(fixlab.__all__)


@pytest.mark.parametrize("name", [n for n, home in NAMES.items() if exists(home)])
def test_each_name_is_the_one_of_its_home(name: str) -> None:
    assert getattr(fixlab, name) is getattr(import_module(NAMES[name]), name)


@pytest.mark.parametrize("name", [p for p in PACKAGES if exists(f"fixlab.{p}")])
def test_the_packages_load_on_first_use(name: str) -> None:
    assert getattr(fixlab, name) is import_module(f"fixlab.{name}")


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="'fixlab' has no attribute 'Sesion'"):
        _ = fixlab.Sesion


def test_importing_fixlab_loads_nothing_heavy() -> None:
    code = "import sys, fixlab, json; print(json.dumps(sorted(sys.modules)))"
    loaded = run_python(code)
    for name in HEAVY:
        assert f'"{name}"' not in loaded


def test_a_failed_module_does_not_look_like_a_missing_name() -> None:
    # hasattr() and tab completion treat AttributeError as "no such name", so a name whose
    # module cannot be imported has to fail with the import's own error.
    code = (
        "import sys, fixlab\n"
        "sys.modules['fixlab.rules'] = None\n"
        "try:\n    fixlab.RULES\n"
        "except ImportError as error:\n    print(error)\n"
    )
    assert "fixlab.rules" in run_python(code)
