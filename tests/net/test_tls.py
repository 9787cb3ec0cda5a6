"""Sessions inside TLS over real sockets, with certificates of CAs that live for one run."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from fixlab.errors import ConfigError, ConnectError
from fixlab.net.acceptor import Acceptor
from fixlab.net.caller import Incoming
from fixlab.net.connection import Connection
from fixlab.net.initiator import Initiator
from fixlab.net.tls import (
    certificate_names,
    client_context,
    describe,
    fingerprint,
    identity_error,
    server_context,
)
from fixlab.session.config import SessionConfig
from fixlab.session.events import Received
from fixlab.session.transitions import SessionState
from tests.net.peers import (
    BUY,
    SELL,
    free_port,
    logon_bytes,
    order,
    raw_client,
    raw_server,
    run,
)

PASSWORD = "correct horse"
YEAR_2001 = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)


class Files:
    """PEM files of two CAs and of the certificates they issued."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ours, self.other = trustme.CA(), trustme.CA()
        self.ca = self._keep("ca", self.ours.cert_pem)
        self.other_ca = self._keep("other-ca", self.other.cert_pem)
        self.venue = self.issue("venue", self.ours, "127.0.0.1", common_name="VENUE")
        self.buy = self.issue("buy", self.ours, "buy.example", common_name="BUY-SIDE")
        self.stranger = self.issue("stranger", self.other, "stranger.example")

    def issue(self, name: str, ca: trustme.CA, *identities: str, **more: Any) -> Path:
        """A file with the key and the chain."""
        made = ca.issue_cert(*identities, **more)
        chain = [blob.bytes() for blob in made.cert_chain_pems]
        return self.write(name, made.private_key_pem.bytes() + b"".join(chain))

    def write(self, name: str, data: bytes) -> Path:
        path = self._folder / f"{name}.pem"
        path.write_bytes(data)
        return path

    def _keep(self, name: str, blob: trustme.Blob) -> Path:
        return self.write(name, blob.bytes())

    def encrypted_key(self, holder: Path) -> Path:
        key = serialization.load_pem_private_key(holder.read_bytes(), None)
        data = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(PASSWORD.encode()),
        )
        return self.write("encrypted-key", data)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


@contextlib.asynccontextmanager
async def venue(tls: ssl.SSLContext, **more: Any) -> AsyncIterator[Acceptor]:
    async with Acceptor(SELL, tls=tls, **more) as acceptor:
        yield acceptor


async def refused_by_both(server: ssl.SSLContext, client: ssl.SSLContext, **more: Any) -> Any:
    """The words of the initiator and of the acceptor about a handshake that fails."""
    async with venue(server) as acceptor:
        with pytest.raises(ConnectError) as caught:
            async with Initiator(BUY, port=acceptor.port, tls=client, **more):
                pass
        async with asyncio.timeout(5):
            while not acceptor.refused:
                await asyncio.sleep(0.01)
        (refused,) = acceptor.refused
        assert refused.rule == "TLS-01"
        assert refused.reason.startswith("TLS failed: ")
        (session,) = acceptor.sessions.values()
        assert session.session.next_in == session.session.next_out == 1
        return str(caught.value), refused.reason.removeprefix("TLS failed: ")


# Sessions ------------------------------------------------------------------------------


@pytest.mark.parametrize("mutual", [False, True])
def test_tls_01_a_session_inside_tls(files: Files, mutual: bool) -> None:
    server = server_context(certificate=files.venue, client_ca=files.ca if mutual else None)
    client = client_context(ca=files.ca, certificate=files.buy if mutual else None)

    async def story() -> None:
        async with (
            venue(server) as acceptor,
            Initiator(BUY, port=acceptor.port, tls=client, reconnect_seconds=0.05) as buy,
        ):
            (sell,) = acceptor.sessions.values()
            for n in range(500):
                await buy.send(order(n))
                if n == 250:
                    buy.cut()
            got = [(await sell.next_event(Received)).message[11] for _ in range(500)]
            assert got == [f"ORD-{n}" for n in range(500)]
            assert acceptor.refused_count == 0

    run(story())


def test_tls_04_nothing_is_encrypted_inside_tls(files: Files) -> None:
    server, client = server_context(certificate=files.venue), client_context(ca=files.ca)

    async def story() -> None:
        async with (
            venue(server) as acceptor,
            Initiator(BUY, port=acceptor.port, tls=client),
        ):
            (sell,) = acceptor.sessions.values()
            assert sell.caller is not None
            assert sell.caller.logon[98] == "0"

    run(story())


def test_a_certificate_itself_may_be_what_is_trusted(files: Files) -> None:
    server = server_context(certificate=files.venue, client_ca=files.stranger)
    client = client_context(ca=files.venue, certificate=files.stranger)

    async def story() -> None:
        async with venue(server) as acceptor:
            async with Initiator(BUY, port=acceptor.port, tls=client) as buy:
                assert buy.state is SessionState.ACTIVE
            other = client_context(ca=files.venue, certificate=files.buy)
            with pytest.raises(ConnectError, match="refused this side's certificate"):
                async with Initiator(BUY, port=acceptor.port, tls=other):
                    pass

    run(story())


def test_the_name_on_the_certificate_may_be_given(files: Files) -> None:
    named = files.issue("named", files.ours, "fix.venue.example")
    server, client = server_context(certificate=named), client_context(ca=files.ca)

    async def story() -> None:
        async with (
            venue(server) as acceptor,
            Initiator(
                BUY, port=acceptor.port, tls=client, tls_server_name="fix.venue.example"
            ) as buy,
        ):
            assert buy.state is SessionState.ACTIVE

    run(story())


@pytest.mark.parametrize("name", ["", ".example", "a" * 64, "a\0b"])
def test_tls_02_a_name_that_would_not_be_checked_is_refused(files: Files, name: str) -> None:
    client = client_context(ca=files.ca)
    with pytest.raises(ConfigError, match="tls_server_name must be the name of a host"):
        Initiator(BUY, port=1, tls=client, tls_server_name=name)


def test_lgn_28_who_is_refused_as_its_handshake_ends_is_not_let_in(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = Incoming.data_received

    def late(self: Incoming, data: bytes) -> None:
        receive(self, data)
        if self._handshake is not None:  # decrypted, and its task not yet resumed
            self._door.refuse(self, "LGN-28", "time is up")

    monkeypatch.setattr(Incoming, "data_received", late)

    async def story() -> None:
        async with (
            venue(server_context(certificate=files.venue)) as acceptor,
            raw_client(acceptor.port) as peer,
        ):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            context = client_context(ca=files.ca)
            shaking = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
            while True:
                try:
                    shaking.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    peer.writer.write(outgoing.read())
                    incoming.write(await peer.reader.read(1 << 16))
            # The end of the handshake and the Logon come at once.
            shaking.write(logon_bytes())
            peer.writer.write(outgoing.read())
            with contextlib.suppress(OSError):
                while await peer.reader.read(1 << 16):
                    pass
            (refused,) = acceptor.refused
            assert refused.rule == "LGN-28"
            assert acceptor.sessions[SELL.session_id].session.next_out == 1

    run(story())


def test_a_connect_that_is_interrupted_as_the_handshake_ends_closes_once(files: Files) -> None:
    interrupted: list[asyncio.Future[None]] = []

    class Interrupted(Initiator):
        def attach(self, connection: Connection, data: bytes = b"") -> None:
            super().attach(connection, data)
            interrupted[0].cancel()

    async def story() -> None:
        async with venue(server_context(certificate=files.venue)) as acceptor:
            buy = Interrupted(BUY, port=acceptor.port, tls=client_context(ca=files.ca))
            interrupted.append(asyncio.ensure_future(buy.connect()))
            with pytest.raises(asyncio.CancelledError):
                await interrupted[0]
            assert buy.connection is None
            await buy.close()
            sell = acceptor.sessions[SELL.session_id]
            await sell.wait_until(lambda _: sell.connection is None, timeout_seconds=5)

    run(story())


def test_without_verification_anybody_will_do(files: Files) -> None:
    server, client = server_context(certificate=files.stranger), client_context(verify=False)

    async def story() -> None:
        async with (
            venue(server) as acceptor,
            Initiator(BUY, port=acceptor.port, tls=client) as buy,
        ):
            assert buy.state is SessionState.ACTIVE

    run(story())


def test_a_pinned_certificate_needs_no_ca_and_no_name(files: Files) -> None:
    server = server_context(certificate=files.stranger)
    usual = fingerprint(files.stranger).removeprefix("sha256:").upper()
    pairs = ":".join(usual[n : n + 2] for n in range(0, 64, 2))
    pins = [fingerprint(files.buy), f"sha256 Fingerprint={pairs}"]

    async def story() -> None:
        async with venue(server) as acceptor:
            good = client_context(pins=pins)
            async with Initiator(BUY, port=acceptor.port, tls=good) as buy:
                assert buy.state is SessionState.ACTIVE
            bad = client_context(pins=pins[:1])
            words = f"not among the pins; its fingerprint is {fingerprint(files.stranger)}"
            with pytest.raises(ConnectError, match=words):
                async with Initiator(BUY, port=acceptor.port, tls=bad):
                    pass

    run(story())


def test_a_pin_and_a_ca_must_both_hold(files: Files) -> None:
    server = server_context(certificate=files.venue)

    async def story() -> None:
        async with venue(server) as acceptor:
            for ca, pin, words in [
                (files.other_ca, files.venue, "unable to get local issuer"),
                (files.ca, files.buy, "not among the pins"),
            ]:
                context = client_context(ca=ca, pins=[fingerprint(pin)])
                with pytest.raises(ConnectError, match=words):
                    async with Initiator(BUY, port=acceptor.port, tls=context):
                        pass

    run(story())


def test_a_pin_holds_on_a_plain_socket_too(files: Files) -> None:
    async def story() -> None:
        async with venue(server_context(certificate=files.venue)) as acceptor:

            def connect(pin: str) -> None:
                with socket.create_connection(("127.0.0.1", acceptor.port), 5) as sock:
                    client_context(pins=[pin]).wrap_socket(sock).close()

            await asyncio.to_thread(connect, fingerprint(files.venue))
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.to_thread(connect, fingerprint(files.buy))

    run(story())


# Who is refused, and in which words ----------------------------------------------------


def test_tls_02_an_older_tls_is_refused(files: Files) -> None:
    old = client_context(ca=files.ca)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")

    async def story() -> None:
        client, server = await refused_by_both(server_context(certificate=files.venue), old)
        assert "speaks no TLS version that this side does" in client
        assert "speaks no TLS version that this side does" in server

    run(story())


@pytest.mark.parametrize("make", ["client", "server"])
def test_tls_02_what_a_context_takes(files: Files, make: str) -> None:
    context = (
        client_context(ca=files.ca)
        if make == "client"
        else server_context(certificate=files.venue)
    )
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.options & ssl.OP_NO_RENEGOTIATION
    for cipher in context.get_ciphers():
        assert cipher["aead"], cipher
        assert "PSK" not in cipher["name"]
        assert cipher["protocol"] == "TLSv1.3" or cipher["name"].startswith(("ECDHE", "DHE"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
class TestServerCertificate:
    """Each reason for which an initiator refuses a server, as both ends tell it."""

    def refuse(
        self, files: Files, version: ssl.TLSVersion, certificate: Path, ca: Path
    ) -> tuple[str, str]:
        client = client_context(ca=ca)
        client.maximum_version = version

        async def story() -> tuple[str, str]:
            both: tuple[str, str] = await refused_by_both(
                server_context(certificate=certificate), client
            )
            return both

        return run(story())

    def test_of_an_unknown_ca(self, files: Files, version: ssl.TLSVersion) -> None:
        client, server = self.refuse(files, version, files.venue, files.other_ca)
        assert "TLS failed: the peer's certificate was refused, unable to get" in client
        assert "CN=VENUE, OU=" in client
        assert "(for 127.0.0.1), issued by OU=Testing CA" in client
        assert "valid from" in client
        assert client.endswith("give the file of that CA as `ca`")
        assert server == "the peer refused this side's certificate: it does not trust its CA"

    def test_that_has_expired(self, files: Files, version: ssl.TLSVersion) -> None:
        old = files.issue("old", files.ours, "127.0.0.1", not_after=YEAR_2001)
        client, server = self.refuse(files, version, old, files.ca)
        assert "refused, certificate has expired: " in client
        assert "to Jan  1 00:00:00 2001 GMT; check the clocks" in client
        assert server == "the peer refused this side's certificate: it has expired"

    def test_that_vouches_for_itself(self, files: Files, version: ssl.TLSVersion) -> None:
        key = files.other.private_key_pem.bytes()
        alone = files.write("alone", key + files.other.cert_pem.bytes())
        client, server = self.refuse(files, version, alone, files.ca)
        assert "refused, self-signed certificate: " in client
        assert "issued by itself" in client
        assert "trust it as `ca`, or pin it" in client
        assert server == "the peer refused this side's certificate: it does not trust its CA"

    def test_for_another_host(self, files: Files, version: ssl.TLSVersion) -> None:
        client, server = self.refuse(files, version, files.buy, files.ca)
        assert "IP address mismatch, certificate is not valid for '127.0.0.1'" in client
        assert "CN=BUY-SIDE" in client
        assert "(for buy.example)" in client
        assert "`tls_server_name`" in client
        assert "refused this side's certificate" in server


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
class TestClientCertificate:
    """Each reason for which an acceptor refuses a client, as both ends tell it."""

    def refuse(
        self, files: Files, version: ssl.TLSVersion, certificate: Path | None
    ) -> tuple[str, str]:
        client = client_context(ca=files.ca, certificate=certificate)
        client.maximum_version = version
        server = server_context(certificate=files.venue, client_ca=files.ca)

        async def story() -> tuple[str, str]:
            both: tuple[str, str] = await refused_by_both(server, client)
            return both

        return run(story())

    def test_that_is_missing(self, files: Files, version: ssl.TLSVersion) -> None:
        client, server = self.refuse(files, version, None)
        assert server == "no client certificate"
        assert "wants a certificate of this side" in client
        assert client.endswith("and got none")

    def test_of_an_unknown_ca(self, files: Files, version: ssl.TLSVersion) -> None:
        client, server = self.refuse(files, version, files.stranger)
        assert server.startswith(
            "the peer's certificate was refused, unable to get local issuer certificate"
        )
        assert server.endswith("give the file of that CA as `client_ca`")
        assert client.endswith(
            "the peer refused this side's certificate: it does not trust its CA"
        )

    def test_that_vouches_for_itself(self, files: Files, version: ssl.TLSVersion) -> None:
        key = files.other.private_key_pem.bytes()
        alone = files.write("alone", key + files.other.cert_pem.bytes())
        _, server = self.refuse(files, version, alone)
        assert "self-signed certificate" in server
        assert server.endswith("if it is the right one, trust it as `client_ca`")

    def test_that_has_expired(self, files: Files, version: ssl.TLSVersion) -> None:
        old = files.issue("old-client", files.ours, "buy.example", not_after=YEAR_2001)
        client, server = self.refuse(files, version, old)
        assert server.startswith("the peer's certificate was refused, certificate has expired")
        assert client.endswith("the peer refused this side's certificate: it has expired")


# Other talk on the port ----------------------------------------------------------------


def test_tls_01_a_plain_client_on_a_tls_port(files: Files) -> None:
    async def story() -> None:
        async with venue(server_context(certificate=files.venue)) as acceptor:
            async with raw_client(acceptor.port) as peer:
                peer.writer.write(logon_bytes())
                assert b"35=" not in await peer.closed(), "not a word of FIX in the clear"
            assert [r.reason for r in acceptor.refused] == ["TLS failed: what came is not TLS"]
            with pytest.raises(ConnectError, match="whether the peer expects TLS"):
                async with Initiator(BUY, port=acceptor.port):
                    pass

    run(story())


def test_a_tls_client_on_a_plain_port(files: Files) -> None:
    async def story() -> None:
        async with Acceptor(SELL) as acceptor:
            with pytest.raises(
                ConnectError,
                match=r"TLS failed: the peer closed .* handshake; check that the peer",
            ):
                async with Initiator(BUY, port=acceptor.port, tls=client_context(ca=files.ca)):
                    pass
            assert [r.rule for r in acceptor.refused] == ["FRM-08"]

    run(story())


def test_a_server_that_answers_in_the_clear(files: Files) -> None:
    async def story() -> None:
        async with raw_server() as server:

            async def answer() -> None:
                peer = await server.peers.get()
                peer.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

            task = asyncio.create_task(answer())
            with pytest.raises(ConnectError, match="TLS failed: what came is not TLS"):
                async with Initiator(BUY, port=server.port, tls=client_context(ca=files.ca)):
                    pass
            await task

    run(story())


def test_a_server_that_stalls_in_the_handshake_is_given_up(files: Files) -> None:
    async def story() -> None:
        async with raw_server() as server:
            with pytest.raises(ConnectError, match=r"TLS failed: no handshake within 0\.2 s"):
                async with Initiator(
                    BUY,
                    port=server.port,
                    tls=client_context(ca=files.ca),
                    connect_seconds=0.2,
                ):
                    pass

    run(story())


def test_a_peer_that_ignores_the_alert_does_not_hold_the_error_back(files: Files) -> None:
    async def story() -> None:
        async with venue(server_context(certificate=files.venue)) as acceptor:
            # A relay that passes everything on but never closes.
            async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                back, forth = await asyncio.open_connection("127.0.0.1", acceptor.port)
                forth.write(await reader.read(65_536))
                writer.write(await back.read(65_536))
                await reader.read(-1)
                for end in (forth, writer):
                    end.close()

            server = await asyncio.start_server(relay, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(ConnectError, match="unable to get local issuer certificate"):
                async with Initiator(
                    BUY,
                    port=port,
                    tls=client_context(ca=files.other_ca),
                    connect_seconds=0.3,
                ):
                    pass
            server.close()
            await server.wait_closed()

    run(story())


def test_a_client_that_stalls_in_the_handshake_is_dropped(files: Files) -> None:
    impatient = SessionConfig(
        sender_comp_id="SELL", target_comp_id="BUY", logon_timeout_seconds=0.2
    )

    async def story() -> None:
        server = server_context(certificate=files.venue)
        async with Acceptor(impatient, tls=server) as acceptor:
            async with raw_client(acceptor.port) as peer:
                assert await peer.closed() == b""
            (refused,) = acceptor.refused
            assert refused.rule == "LGN-28"
            assert "no TLS handshake" in refused.reason

    run(story())


def test_nobody_listens(files: Files) -> None:
    async def story() -> None:
        with pytest.raises(ConnectError, match="connection refused; check that the acceptor"):
            async with Initiator(BUY, port=free_port(), tls=client_context(ca=files.ca)):
                pass

    run(story())


# Whose certificate it is ---------------------------------------------------------------


def test_tls_03_a_comp_id_belongs_to_a_certificate(files: Files) -> None:
    server = server_context(certificate=files.venue, client_ca=files.ca)
    client = client_context(ca=files.ca, certificate=files.buy)

    async def attempt(allowed: dict[str, Any]) -> str:
        async with venue(server, tls_identities=allowed) as acceptor:
            (sell,) = acceptor.sessions.values()
            try:
                async with Initiator(BUY, port=acceptor.port, tls=client):
                    return "logged on"
            except ConnectError:
                (refused,) = acceptor.refused
                assert refused.rule == "TLS-03"
                assert sell.session.next_in == sell.session.next_out == 1, "not disturbed"
                return refused.reason

    async def story() -> None:
        assert await attempt({"BUY": "BUY-SIDE"}) == "logged on"
        assert await attempt({"BUY": ["x", "Buy.Example"]}) == "logged on"
        assert await attempt({"BUY": fingerprint(files.buy)}) == "logged on"
        assert await attempt({"FUND": "buy.example"}) == "no certificate is assigned to 'BUY'"
        assert (await attempt({"BUY": "fund.example", "FUND": "buy.example"})).startswith(
            "'BUY' belongs to fund.example, not to the certificate of BUY-SIDE, buy.example, "
            "sha256:"
        )

    run(story())


def test_tls_03_names_without_certificates_are_a_mistake(files: Files) -> None:
    for tls in (None, server_context(certificate=files.venue)):
        with pytest.raises(ConfigError, match=r"needs certificates of the callers.*client_ca"):
            Acceptor(SELL, tls=tls, tls_identities={"BUY": "x"})


def test_tls_03_a_hook_sees_the_certificate(files: Files) -> None:
    server = server_context(certificate=files.venue, client_ca=files.ca)
    client = client_context(ca=files.ca, certificate=files.buy)
    seen: list[tuple[str, ...]] = []

    def approve(caller: Any) -> SessionConfig:
        seen.append(certificate_names(caller.certificate))
        return SELL

    async def story() -> None:
        async with (
            Acceptor(approve=approve, tls=server) as acceptor,
            Initiator(BUY, port=acceptor.port, tls=client),
        ):
            assert seen == [("BUY-SIDE", "buy.example")]

    run(story())


@pytest.mark.parametrize(
    ("proved", "allowed", "error"),
    [
        (("a",), {"BUY": "a"}, ""),
        (("A",), {"BUY": ("b", "a")}, ""),
        ((), {"BUY": "a"}, "'BUY' belongs to a, not to the certificate of nobody"),
        (("ab",), {"BUY": "a"}, "'BUY' belongs to a, not to the certificate of ab"),
        (("a",), {"BUY": ()}, "'BUY' belongs to nobody, not to the certificate of a"),
        (("a",), {}, "no certificate is assigned to 'BUY'"),
    ],
)
def test_tls_03_identity_error(proved: tuple[str, ...], allowed: Any, error: str) -> None:
    assert identity_error("BUY", proved, allowed) == error


def test_names_of_a_stranger_are_shown_short_and_visible() -> None:
    certificate = {
        "subject": ((("commonName", "\x1b[31m" + "x" * 500),),),
        "issuer": (),
        "subjectAltName": (("DNS", "a"), ("DirName", ((("commonName", "d"),),)), ("URI", "u")),
    }
    assert certificate_names(certificate)[1:] == ("a", "u")
    words = describe(certificate)
    assert "\x1b" not in words
    assert len(words) < 250
    assert "nobody named" in words


# Files that cannot work ----------------------------------------------------------------


def test_an_encrypted_key_opens_with_its_password(files: Files) -> None:
    key = files.encrypted_key(files.venue)
    server_context(certificate=files.venue, key=key, password=PASSWORD)
    with pytest.raises(ConfigError, match="is encrypted; give its `password`"):
        server_context(certificate=files.venue, key=key)
    with pytest.raises(ConfigError, match="`password` does not open the key") as caught:
        server_context(certificate=files.venue, key=key, password="s3cret")
    assert "s3cret" not in str(caught.value)


def test_files_that_are_not_what_they_should_be(files: Files, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    text = files.write("text", b"hello")
    torn = files.write("torn", files.ca.read_bytes().replace(b"M", b"!"))
    cut = files.write("cut", files.ca.read_bytes()[:200])
    cases: list[tuple[dict[str, Any], str]] = [
        ({"ca": missing}, r"ca: .*missing.pem cannot be read \(No such file"),
        ({"ca": tmp_path}, r"ca: .* cannot be read \(Is a directory"),
        ({"ca": "a\0b"}, "ca: .* cannot be read"),
        ({"ca": text}, "ca: .*text.pem holds no certificate in PEM form"),
        ({"ca": torn}, "ca: .*torn.pem is damaged"),
        ({"ca": cut}, "ca: .*cut.pem is damaged"),
        ({"certificate": text}, "certificate: .*text.pem holds no certificate in PEM form"),
        ({"certificate": files.ca}, "certificate: .*ca.pem holds no private key in PEM form"),
        ({"certificate": files.venue, "key": files.ca}, "key: .*ca.pem holds no private key"),
        ({"certificate": files.venue, "key": missing}, "key: .*missing.pem cannot be read"),
        (
            {"certificate": files.venue, "key": files.buy},
            "the key in .*buy.pem does not belong to the certificate in .*venue.pem",
        ),
        ({"key": files.buy}, "a key needs its certificate"),
        ({"pins": ["sha256:12"]}, "64 hexadecimal digits, found 'sha256:12'"),
        ({"verify": False, "ca": files.ca}, "verify=False looks at nothing"),
    ]
    for settings, words in cases:
        with pytest.raises(ConfigError, match=words):
            client_context(**settings)
    with pytest.raises(ConfigError, match=r"client_ca: .*missing.pem cannot be read"):
        server_context(certificate=files.venue, client_ca=missing)
    with pytest.raises(ConfigError, match="holds no certificate"):
        fingerprint(text)
    with pytest.raises(ConfigError, match="cut off"):
        fingerprint(cut)


def test_without_a_ca_the_system_is_trusted() -> None:
    context = client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_dsc_01_an_address_that_is_not_allowed_sees_no_handshake(files: Files) -> None:
    async def story() -> None:
        async with venue(
            server_context(certificate=files.venue), allowed_addresses=["10.0.0.0/8"]
        ) as acceptor:
            # Nor does it matter what the caller says: nobody listens.
            for hello in (b"", b"\x16\x03\x01 something of a ClientHello"):
                async with raw_client(acceptor.port) as peer:
                    peer.writer.write(hello)
                    assert await peer.closed() == b""
            assert [refused.rule for refused in acceptor.refused] == ["DSC-01"] * 2

    run(story())
