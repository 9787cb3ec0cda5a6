"""A PostgreSQL server of the tests' own, in a temporary folder, as an unprivileged user."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.net.peers import free_port

PASSWORD = "correct horse/battery"
_START_SECONDS = 20.0
_CONFIG = """
listen_addresses = '127.0.0.1'
fsync = off
full_page_writes = off
shared_buffers = 16MB
max_connections = 40
"""


def programs() -> Path | None:
    """The folder of the newest server on this machine; Debian keeps it off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


class Cluster:
    """One server; `stop()` and `start()` are what a database's own restart does."""

    def __init__(self, folder: Path, user: str | None) -> None:
        bin_folder = programs()
        assert bin_folder is not None
        self._bin, self._folder, self._user = bin_folder, folder, user
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if user is not None:
            for path in (folder, secret):
                shutil.chown(path, user)
        self._run(
            "initdb", "-D", str(folder / "data"), "-U", "fix", "-A", "scram-sha-256",
            "--pwfile", str(secret), "-E", "UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip
        with (folder / "data" / "postgresql.conf").open("a") as config:
            config.write(f"{_CONFIG}port = {self._port}\nunix_socket_directories = ''\n")

    @property
    def url(self) -> str:
        """For SQLAlchemy, password and all."""
        secret = PASSWORD.replace("/", "%2F").replace(" ", "%20")
        return f"postgresql+psycopg://fix:{secret}@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start the server and return once it answers."""
        self._process = subprocess.Popen(
            [str(self._bin / "postgres"), "-D", str(self._folder / "data")],
            cwd=self._folder,
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(
                    host="127.0.0.1",
                    port=self._port,
                    user="fix",
                    password=PASSWORD,
                    dbname="postgres",
                ).close()
                return
            except psycopg.OperationalError:
                assert self._process.poll() is None, "the server ended"
                assert time.monotonic() < until, "the server does not answer"
                time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, as a crash does; what was committed stays."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=_START_SECONDS)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            cwd=self._folder,
            user=self._user,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """A running server, gone with its folder at the end."""
    # The server refuses to run as root; the package made a user for it.
    user = None
    if os.geteuid() == 0:
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = "postgres" if "postgres" in names else "nobody"
    folder = Path(tempfile.mkdtemp(prefix="fixlab-postgres-"))
    try:
        server = Cluster(folder, user)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
