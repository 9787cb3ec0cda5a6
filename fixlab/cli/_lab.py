"""`fixlab lab`: the notebooks in a folder of the user's, and JupyterLab on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from fixlab.cli._folder import Fate, Folder, Placed
from fixlab.errors import FixLabError

PACKAGE = Path(__file__).parents[1]
FIRST = "00_first_session.ipynb"
_END_SECONDS = 10.0  # what JupyterLab gets to stop its kernels before it is stopped itself


def run(folder: Path, *, browser: bool, port: int | None) -> int:
    """Copy the notebooks to `folder` and run JupyterLab there until it ends.

    Returns JupyterLab's exit code, 0 after Ctrl-C. Raises `FixLabError` when JupyterLab or
    the notebooks are not installed, `OSError` when the folder cannot be written to.
    """
    if find_spec("jupyterlab") is None:
        raise FixLabError("JupyterLab is not installed; install it: pip install 'fixlab[lab]'")
    for line in report(copy_notebooks(notebooks_home(), folder), folder):
        print(line)
    print("Starting JupyterLab on 127.0.0.1; Ctrl-C ends it.", flush=True)
    return _serve(command(folder, browser=browser, port=port))


def notebooks_home() -> Path:
    """Where the notebooks are: inside an installed package, beside it in a checkout."""
    homes = (PACKAGE / "_notebooks", PACKAGE.parent / "notebooks")
    for home in homes:
        if any(home.glob("*.ipynb")):
            return home
    raise FixLabError(f"no notebooks found in {homes[0]} or {homes[1]}; install fixlab again")


def copy_notebooks(home: Path, folder: Path) -> list[Placed]:
    """Bring all files of `home` to `folder`; nothing that the user changed is touched."""
    target = Folder(folder)
    return [
        target.put(path.relative_to(home).as_posix(), path.read_bytes())
        for path in _files(home)
    ]


def report(placed: list[Placed], folder: Path) -> Iterator[str]:
    """What happened to the files, in a few lines."""
    notebooks = sum(item.name.endswith(".ipynb") for item in placed)
    yield f"{notebooks} notebooks are in {folder}; start with {FIRST}."
    kept = [item.name for item in placed if item.fate is Fate.KEPT]
    if kept:
        yield f"Kept as you changed them: {', '.join(kept)}"
    for item in placed:
        if item.fate is Fate.BESIDE:
            yield f"You changed {item.name}, so it stays; the new version is {item.path}"


def command(folder: Path, *, browser: bool, port: int | None) -> list[str]:
    """How JupyterLab is started on `folder`."""
    words = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--ServerApp.ip=127.0.0.1",  # whatever the user's configuration says
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--LabApp.default_url=/lab/tree/{FIRST}",
        "--ServerApp.answer_yes=True",  # one Ctrl-C ends it, without asking back
    ]
    if os.name == "posix" and os.geteuid() == 0:
        # JupyterLab refuses to run as root, which is what most containers do.
        words.append("--allow-root")
    if not browser:
        words.append("--no-browser")
    if port is not None:
        words += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    return words


def _serve(words: list[str]) -> int:
    server = subprocess.Popen(words)
    try:
        return server.wait()
    except KeyboardInterrupt:
        # Ctrl-C at a terminal reaches the server as well; it is stopping its kernels now.
        try:
            server.wait(timeout=_END_SECONDS)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            server.terminate()
            server.wait()
        return 0


def _files(home: Path) -> list[Path]:
    def hidden(path: Path) -> bool:
        parts = path.relative_to(home).parts
        return any(part.startswith(".") or part == "__pycache__" for part in parts)

    return sorted(p for p in home.rglob("*") if p.is_file() and not hidden(p))
