"""A JupyterLab of the test's own: private settings, a free port, nothing from elsewhere."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_UP_SECONDS = 60.0
_SETTINGS = {
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {
        "windowingMode": "none",
        "scrollPastEnd": False,
    },
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}


class Server(NamedTuple):
    url: str  # of the server, with a slash behind
    token: str

    def page(self, notebook: str) -> str:
        return f"{self.url}doc/tree/{notebook}?token={self.token}"


@contextmanager
def jupyterlab(folder: Path, private: Path) -> Iterator[Server]:
    """Serve the notebooks in `folder`, keeping all that Jupyter writes in `private`."""
    for name, values in _SETTINGS.items():
        path = private / "settings" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    token = secrets.token_hex(16)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.allow_root": True,
        "ServerApp.root_dir": folder,
        "LabApp.expose_app_in_browser": True,
        "LabApp.news_url": "",
        "LabApp.extension_manager": "readonly",
    }
    log = private / "server.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser"),
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            env=_environment(private, token),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        server = Server(f"http://127.0.0.1:{port}/", token)
        try:
            _wait_up(server, process, log)
            yield server
        finally:
            # On a first SIGTERM the server ends its kernels, then itself.
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()


def _environment(private: Path, token: str) -> dict[str, str]:
    return {
        **os.environ,
        "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_DIR": str(private / "config"),
        "JUPYTER_RUNTIME_DIR": str(private / "runtime"),
        "JUPYTER_DATA_DIR": str(private / "data"),
        "JUPYTERLAB_SETTINGS_DIR": str(private / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(private / "workspaces"),
        "IPYTHONDIR": str(private / "ipython"),
        "PYTHONPATH": str(ROOT),
    }


def _wait_up(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + _UP_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{server.url}api?token={server.token}", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if process.poll() is not None or time.monotonic() > limit:
                text = log.read_text(encoding="utf-8", errors="replace")[-3000:]
                raise AssertionError(f"JupyterLab did not come up: {error}\n{text}") from error
        time.sleep(0.1)
