"""A session inside TLS, with a certificate made for the test."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from fixlab.errors import ConnectError
from fixlab.net.acceptor import Acceptor
from fixlab.net.initiator import Initiator
from fixlab.session.events import Received
from tests.net.peers import BUY, SELL, order, run


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    openssl = shutil.which("openssl")
    assert openssl, "the tests need the openssl command to make a certificate"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", str(key), "-out", str(cert), "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return key, cert


def test_a_session_inside_tls(certificate: tuple[Path, Path]) -> None:
    key, cert = certificate
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(cert, key)
    client = ssl.create_default_context(cafile=str(cert))

    async def story() -> None:
        async with (
            Acceptor(SELL, tls=server) as venue,
            Initiator(BUY, port=venue.port, tls=client, reconnect_seconds=0.05) as buy,
        ):
            (sell,) = venue.sessions.values()
            for n in range(500):
                await buy.send(order(n))
                if n == 250:
                    buy.cut()
            got = [(await sell.next_event(Received)).message[11] for _ in range(500)]
            assert got == [f"ORD-{n}" for n in range(500)]

    run(story())


def test_a_certificate_that_is_not_trusted_is_told(certificate: tuple[Path, Path]) -> None:
    key, cert = certificate
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(cert, key)

    async def story() -> None:
        async with Acceptor(SELL, tls=server) as venue:
            with pytest.raises(ConnectError, match=r"TLS failed .*check that the peer"):
                async with Initiator(BUY, port=venue.port, tls=ssl.create_default_context()):
                    pass

    # In debug mode asyncio itself tells the loop about the handshake that failed.
    run(story(), reports=None)
