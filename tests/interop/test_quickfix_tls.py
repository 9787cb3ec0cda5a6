"""fixlab and a real QuickFIX engine inside TLS, each with a certificate of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from fixlab.engines import ENGINES
from fixlab.net.acceptor import Acceptor
from fixlab.net.driver import Driver
from fixlab.net.initiator import Initiator
from fixlab.net.tls import client_context, fingerprint, server_context
from fixlab.session.config import SessionConfig
from fixlab.session.events import Received
from tests.interop.peer import Engine, Peer, Spec, until
from tests.net.peers import order, run

CONFIG = SessionConfig(sender_comp_id="LAB", target_comp_id="QF")
ORDERS = 50


class Files:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        for name in ("lab", "qf"):
            made = authority.issue_cert("127.0.0.1", f"{name}.example")
            made.private_key_pem.write_to_path(str(folder / f"{name}.key"))
            made.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))

    def own(self, name: str) -> tuple[Path, Path]:
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def engine(files: Files, tmp_path: Path) -> Iterator[Callable[[str], Engine]]:
    """Makes the engine in a role; this file is its process (see the end)."""
    kind = replace(ENGINES["quickfix"], child=Path(__file__))
    made: list[Engine] = []

    def make(role: str) -> Engine:
        certificate, key = files.own("qf")
        side = "Server" if role == "acceptor" else "Client"
        settings = (
            f"{side}CertificateFile={certificate}\n{side}CertificateKeyFile={key}\n"
            f"CertificationAuthoritiesFile={files.ca}\n"
            "CertificateVerifyLevel=2\n"  # the other side must have one
        )
        spec = Spec("FIX.4.4", "LAB", ("UseDataDictionary=N",))
        # The engine looks for its settings of TLS in no other section than [DEFAULT].
        made.append(Engine(role, tmp_path / "engine", [spec], kind=kind, settings=settings))
        return made[-1]

    yield make
    for one in made:
        one.stop()


async def trade(lab: Driver, quickfix: Peer) -> None:
    """Orders both ways; at the end both agree, and log out."""
    for n in range(ORDERS):
        await lab.send(order(n))
    await quickfix.send(ORDERS, "QF")
    await until(lambda: len(quickfix.orders) == ORDERS, "QuickFIX to get all orders")
    got = [(await lab.next_event(Received)).message[11] for _ in range(ORDERS)]
    assert got == [f"QF-{n}" for n in range(ORDERS)]
    assert quickfix.orders == [f"ORD-{n}" for n in range(ORDERS)]
    assert await quickfix.numbers() == (lab.session.next_in, lab.session.next_out)
    await lab.logout()
    await until(lambda: quickfix.logouts == 1, "QuickFIX to log out")


def test_tls_01_the_initiator_and_a_quickfix_acceptor(
    files: Files, engine: Callable[[str], Engine]
) -> None:
    certificate, key = files.own("lab")
    tls = client_context(ca=files.ca, certificate=certificate, key=key)
    server = engine("acceptor")
    server.start()

    async def story() -> None:
        async with Initiator(CONFIG, port=server.port, tls=tls) as lab:
            await trade(lab, server.peers["FIX.4.4:QF->LAB"])

    run(story())


def test_tls_03_the_acceptor_and_a_quickfix_initiator(
    files: Files, engine: Callable[[str], Engine]
) -> None:
    certificate, key = files.own("lab")
    tls = server_context(certificate=certificate, key=key, client_ca=files.ca)
    client = engine("initiator")
    allowed = {"QF": fingerprint(files.own("qf")[0])}

    async def story() -> None:
        async with Acceptor(
            CONFIG, port=client.port, tls=tls, tls_identities=allowed
        ) as acceptor:
            client.start()
            quickfix = client.peers["FIX.4.4:QF->LAB"]
            quickfix.tell("logon")
            (lab,) = acceptor.sessions.values()
            await lab.wait_established(timeout_seconds=10)
            await trade(lab, quickfix)

    run(story())


if __name__ == "__main__":
    # The engine's process: the same program, with sockets that speak TLS. What they print is
    # no report.
    reports = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(reports, "w")
    import quickfix

    from fixlab.engines import _quickfix as program

    quickfix.SocketAcceptor = quickfix.SSLSocketAcceptor
    quickfix.SocketInitiator = quickfix.SSLSocketInitiator
    program.main(*sys.argv[1:])
