"""environment.yml and pyproject.toml ask for the same packages in the same versions."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def from_pyproject(*extras: str) -> dict[str, str]:
    wanted: dict[str, str] = {"python": PROJECT["requires-python"]}
    open_lists = [PROJECT["dependencies"]]
    open_lists += [PROJECT["optional-dependencies"][extra] for extra in extras]
    while open_lists:
        for text in open_lists.pop():
            requirement = Requirement(text)
            if requirement.name == "fixlab":
                open_lists += [PROJECT["optional-dependencies"][e] for e in requirement.extras]
            else:
                assert requirement.name not in wanted, f"{requirement.name} stands twice"
                wanted[requirement.name] = str(requirement.specifier)
    return wanted


def from_environment() -> dict[str, str]:
    # The file is a plain list, so its lines are enough; pip itself and the project are no
    # dependencies.
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    listed = lines[lines.index("dependencies:") + 1 :]
    items = [line.strip().removeprefix("- ") for line in listed if line.strip()[:1] == "-"]
    packages = [item for item in items if item not in ("pip", "pip:", "-e .")]
    requirements = [Requirement(item) for item in packages]
    assert len({r.name for r in requirements}) == len(requirements), "a package stands twice"
    return {r.name: str(r.specifier) for r in requirements}


def test_the_two_hold_the_same_names_and_ranges() -> None:
    assert from_environment() == from_pyproject("dev")


def test_dev_contains_test_and_test_contains_lab() -> None:
    lab, test, dev = (from_pyproject(extra).items() for extra in ("lab", "test", "dev"))
    assert lab < test < dev


def test_every_package_asked_for_has_its_reason_beside_it() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    for name in {**from_pyproject("dev"), **from_pyproject("bench")}:
        if name != "python":
            (line,) = [line for line in lines if re.match(rf' +"{name}[<>=\[]', line)]
            assert ",  # " in line, f"{name} has no reason in pyproject.toml"
