"""TLS for live sessions: contexts that are right, and words for what a handshake refused.

`client_context()` and `server_context()` make the `ssl.SSLContext` that `Initiator` and
`Acceptor` take as `tls`. The rest says which certificate was refused and why, and whom a
certificate stands for.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fixlab import redact
from fixlab.errors import ConfigError

FilePath = str | os.PathLike[str]
Certificate = Mapping[str, Any]  # as `ssl.SSLSocket.getpeercert()` gives it

# TLS-02: forward secrecy and authenticated encryption only. TLS 1.3 has suites of its own.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL:!PSK"
_NAME_MAX = 80  # characters shown of a name in a stranger's certificate
_NAMES_MAX = 5

# OpenSSL's codes of a failed verification -> what to check.
_CHECKS = {
    9: "its time has not come: check the clocks",
    10: "check the clocks, or ask for a new one",
    18: "it vouches for itself: if it is the right one, trust it as `ca`, or pin it",
    19: "its CA is not trusted here: give the file of that CA as `ca`",
    20: "its CA is not trusted here: give the file of that CA as `ca`",
    21: "its CA is not trusted here, or the peer sends its chain without the CA between",
    62: "connect by a name it is for, or give one of them as `tls_server_name`",
    64: "connect by a name it is for, or give one of them as `tls_server_name`",
}
# What differs where the client's certificate is looked at, by an acceptor: it has no pins.
_CHECKS_OF_CLIENTS = {
    18: "it vouches for itself: if it is the right one, trust it as `client_ca`",
    19: "its CA is not trusted here: give the file of that CA as `client_ca`",
    20: "its CA is not trusted here: give the file of that CA as `client_ca`",
}
# What an alert of the peer means, by the end of its name.
_ALERTS = {
    "CERTIFICATE_REQUIRED": "the peer wants a certificate of this side, and got none",
    "UNKNOWN_CA": "the peer refused this side's certificate: it does not trust its CA",
    "CERTIFICATE_EXPIRED": "the peer refused this side's certificate: it has expired",
    "CERTIFICATE_REVOKED": "the peer refused this side's certificate: it is revoked",
    "CERTIFICATE_UNKNOWN": "the peer refused this side's certificate, and does not say why",
    "UNSUPPORTED_CERTIFICATE": "the peer takes no certificate of the kind this side has",
    "BAD_CERTIFICATE": "the peer refused this side's certificate, as a wrong name makes it do",
    "ACCESS_DENIED": "the peer knows this side's certificate and gives it no access",
    "HANDSHAKE_FAILURE": (
        "the peer found no cipher in common, or wants a certificate of this side and got none"
    ),
    "PROTOCOL_VERSION": "the peer speaks no TLS version that this side does",
    "UNRECOGNIZED_NAME": "the peer has no certificate for the name it was called by",
}
# And what this side's own OpenSSL found.
_FINDINGS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no client certificate",
    "WRONG_VERSION_NUMBER": "what came is not TLS",
    "HTTP_REQUEST": "what came is not TLS but HTTP",
    "RECORD_LAYER_FAILURE": "what came is not TLS",
    "UNSUPPORTED_PROTOCOL": "the peer speaks no TLS version that this side does",
    "NO_SHARED_CIPHER": "the peer has no cipher in common with this side",
    "UNEXPECTED_EOF_WHILE_READING": "the peer closed the connection without a word",
}


# Contexts ------------------------------------------------------------------------------


def client_context(
    *,
    ca: FilePath | None = None,
    certificate: FilePath | None = None,
    key: FilePath | None = None,
    password: str | None = None,
    pins: Iterable[str] = (),
    verify: bool = True,
) -> ssl.SSLContext:
    """A context for `Initiator(tls=...)`: TLS 1.2 or newer, the server verified (TLS-02).

    Parameters, all files in PEM form: `ca`, whom to trust (None: the CAs of the system), be it
    a CA or the server's own certificate; `certificate`, `key` and the `password` of the key,
    for a server that wants to know this side (`key` None: it is in the file of the
    certificate); `pins`, the SHA-256 fingerprints of which the server's certificate must have
    one, see `fingerprint()`: without `ca`, nothing else of it is looked at; `verify` False
    trusts anybody, for a laboratory.

    Raises `ConfigError` when a file is missing, not what it should be, or needs another
    password, and when key and certificate do not belong together.
    """
    context = _PinningContext(ssl.PROTOCOL_TLS_CLIENT)
    context.pins = frozenset(map(_fingerprint_of, pins))
    _harden(context)
    if not verify and (ca is not None or context.pins):
        raise ConfigError("verify=False looks at nothing; leave out `ca` and `pins` with it")
    if not verify or (context.pins and ca is None):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _load_ca(context, ca, "ca")
    if certificate is not None:
        _load_own(context, certificate, key, password)
    elif key is not None:
        raise ConfigError("a key needs its certificate; give `certificate` as well")
    return context


def server_context(
    *,
    certificate: FilePath,
    key: FilePath | None = None,
    password: str | None = None,
    client_ca: FilePath | None = None,
) -> ssl.SSLContext:
    """A context for `Acceptor(tls=...)`: TLS 1.2 or newer (TLS-02).

    Parameters, all files in PEM form: `certificate` of this server, with the chain of its CA,
    `key` (None: in the same file) and its `password`; `client_ca`, whom to trust: with it every
    client must show a certificate which that file vouches for or holds.

    Raises `ConfigError` as `client_context()` does.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    _load_own(context, certificate, key, password)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        _load_ca(context, client_ca, "client_ca")
    return context


def _harden(context: ssl.SSLContext) -> None:
    """TLS-02: what Python leaves to the machine's own settings is said here."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(_CIPHERS)
    # A file may hold the very certificate to trust, which FIXS calls pinning, and not its CA.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def _load_ca(context: ssl.SSLContext, path: FilePath, name: str) -> None:
    _pem(path, "CERTIFICATE", name)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise ConfigError(f"{name}: {path} is damaged ({_reason(error)})") from None


def _load_own(
    context: ssl.SSLContext, certificate: FilePath, key: FilePath | None, password: str | None
) -> None:
    _pem(certificate, "CERTIFICATE", "certificate")
    name, holder = ("certificate", certificate) if key is None else ("key", key)
    text = _pem(holder, "PRIVATE KEY", name)
    encrypted = re.search(r"BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED", text) is not None
    if encrypted and password is None:
        raise ConfigError(f"{name}: the key in {holder} is encrypted; give its `password`")
    try:
        # Without any password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password=password or "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(
                f"the key in {holder} does not belong to the certificate in {certificate}"
            ) from None
        if encrypted:
            raise ConfigError(f"{name}: `password` does not open the key in {holder}") from None
        raise ConfigError(
            f"certificate: {certificate}, or its key in {holder}, is damaged or too weak "
            f"({_reason(error)})"
        ) from None


def _pem(path: FilePath, kind: str, name: str) -> str:
    """The text of a PEM file that holds at least one `kind`."""
    try:
        text = Path(path).read_text(encoding="latin-1")
    except (OSError, ValueError) as error:  # the latter for a path with a null in it
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"{name}: {path} cannot be read ({why})") from None
    if not re.search(rf"-----BEGIN [A-Z0-9 ]*{kind}-----", text):
        raise ConfigError(f"{name}: {path} holds no {kind.lower()} in PEM form")
    return text


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()


# Pins ----------------------------------------------------------------------------------


def fingerprint(certificate: FilePath | bytes) -> str:
    """`sha256:` and 64 hexadecimal digits of a PEM file's first certificate, or of DER bytes.

    Raises `ConfigError` when the file holds none.
    """
    if not isinstance(certificate, bytes):
        text = _pem(certificate, "CERTIFICATE", "certificate")
        first = re.search(
            r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.S
        )
        if first is None:
            raise ConfigError(f"certificate: {certificate} is cut off")
        certificate = ssl.PEM_cert_to_DER_cert(first[0])
    return f"sha256:{hashlib.sha256(certificate).hexdigest()}"


def _fingerprint_of(text: str) -> str:
    """A fingerprint in any usual way of writing, such as `openssl x509 -fingerprint`'s."""
    digits = text.rpartition("=")[2].lower().removeprefix("sha256:").replace(":", "").strip()
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise ConfigError(
            f"a pin is a SHA-256 fingerprint of 64 hexadecimal digits, found {text!r}"
        )
    return f"sha256:{digits}"


class _PinningObject(ssl.SSLObject):
    def do_handshake(self) -> None:
        super().do_handshake()
        _check_pins(self.context, self.getpeercert(True))


class _PinningSocket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        _check_pins(self.context, self.getpeercert(True))


class _PinningContext(ssl.SSLContext):
    """A context whose peers must have one of `pins`, when there are any."""

    pins: frozenset[str] = frozenset()
    sslobject_class = _PinningObject
    sslsocket_class = _PinningSocket


def _check_pins(context: ssl.SSLContext, certificate: bytes | None) -> None:
    pins = context.pins if isinstance(context, _PinningContext) else ()
    found = None if certificate is None else fingerprint(certificate)
    if pins and found not in pins:
        error = ssl.SSLCertVerificationError(1, "the certificate is not pinned")
        error.verify_code = 0
        error.verify_message = f"not among the pins; its fingerprint is {found}"
        raise error


# Whom a certificate stands for ---------------------------------------------------------


def certificate_names(certificate: Certificate) -> tuple[str, ...]:
    """Every name a certificate is for: common names, then DNS, URI, e-mail and IP names."""
    subject = certificate.get("subject", ())
    names = [value for part in subject for kind, value in part if kind == "commonName"]
    names += [value for _, value in certificate.get("subjectAltName", ()) if _is_text(value)]
    return tuple(dict.fromkeys(names))


def identities(connection: ssl.SSLObject | ssl.SSLSocket) -> tuple[str, ...]:
    """What a peer has proved to be: its certificate's names and fingerprint; () without one."""
    der = connection.getpeercert(True)
    if der is None:
        return ()
    return (*certificate_names(connection.getpeercert() or {}), fingerprint(der))


def identity_error(
    comp_id: str, proved: Iterable[str], allowed: Mapping[str, str | Iterable[str]]
) -> str:
    """TLS-03: why a peer that proved to be `proved` is not `comp_id`; "" when it is.

    `allowed` has the names or fingerprints that belong to each CompID.
    """
    shown = repr(redact.printable(comp_id[:_NAME_MAX]))
    if comp_id not in allowed:
        return f"no certificate is assigned to {shown}"
    wanted = allowed[comp_id]
    wanted = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    found = tuple(proved)
    if {name.casefold() for name in wanted} & {name.casefold() for name in found}:
        return ""
    return f"{shown} belongs to {_listed(wanted)}, not to the certificate of {_listed(found)}"


def describe(certificate: Certificate) -> str:
    """One line about a certificate: for whom, by whom and until when."""
    subject, issuer = (_distinguished(certificate.get(k, ())) for k in ("subject", "issuer"))
    by = "itself" if subject == issuer else issuer
    names = [value for _, value in certificate.get("subjectAltName", ()) if _is_text(value)]
    also = f" (for {_listed(names)})" if names else ""
    begin, end = certificate.get("notBefore", "?"), certificate.get("notAfter", "?")
    return f"{subject}{also}, issued by {by}, valid from {begin} to {end}"


def _distinguished(parts: Iterable[Iterable[tuple[str, str]]]) -> str:
    """The parts that tell certificates apart, the most telling first."""
    found = [(kind, value) for part in parts for kind, value in part]
    short = {"commonName": "CN", "organizationalUnitName": "OU", "organizationName": "O"}
    told = [f"{short[k]}={_shown(v)}" for name in short for k, v in found if k == name]
    return ", ".join(told) or "nobody named"


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    rest = f" and {len(listed) - _NAMES_MAX} more" if len(listed) > _NAMES_MAX else ""
    return (", ".join(_shown(name) for name in listed[:_NAMES_MAX]) or "nobody") + rest


def _shown(name: str) -> str:
    return redact.printable(name[:_NAME_MAX])


def _is_text(value: object) -> bool:
    return isinstance(value, str)  # a directory name is a nest of tuples


# A handshake and its end ---------------------------------------------------------------


class Handshake(ssl.SSLContext):
    """`context` for one connection, which remembers why its handshake failed.

    asyncio closes a failed handshake without telling the peer. `write` sends the alert that
    OpenSSL has ready for it; without `write`, asyncio is made to send it, and then fails as the
    peer closes. `error` has the reason either way, and `certificate` what was refused, when
    OpenSSL kept it: a client's does.
    """

    error: ssl.SSLError | None
    certificate: Certificate | None
    begun: bool

    def __new__(
        cls, context: ssl.SSLContext, write: Callable[[bytes], object] | None = None
    ) -> Handshake:
        return super().__new__(cls, context.protocol)

    def __init__(
        self, context: ssl.SSLContext, write: Callable[[bytes], object] | None = None
    ) -> None:
        self._context = context
        self._write = write
        self.error = self.certificate = None
        self.begun = self._of_client = False

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """As the context itself does, with an eye on the handshake."""
        made = self._context.wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        vars(made)["do_handshake"] = partial(self._shake, made, outgoing, made.do_handshake)
        self.begun = True
        self._of_client = server_side  # whose certificate is looked at
        return made

    def _shake(
        self, made: ssl.SSLObject, outgoing: ssl.MemoryBIO, shake: Callable[[], None]
    ) -> None:
        if self.error is not None:
            raise self.error  # the alert has left
        try:
            shake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.error, self.certificate = error, _presented(made)
            if not outgoing.pending:
                raise
            if self._write is None:
                raise ssl.SSLWantReadError from None
            self._write(outgoing.read())
            raise
        del vars(made)["do_handshake"]

    def explain(self) -> str:
        """Why it failed; "" when it did not."""
        if self.error is None:
            return ""
        return explain(self.error, self.certificate, of_client=self._of_client)


def explain(
    error: ssl.SSLError, certificate: Certificate | None = None, *, of_client: bool = False
) -> str:
    """What an error of TLS means: which certificate was refused, by whom and why.

    `of_client`: it is a client's certificate, so the advice is for an acceptor.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        whose = f": {describe(certificate)}" if certificate else ""
        checks = _CHECKS | _CHECKS_OF_CLIENTS if of_client else _CHECKS
        check = checks.get(error.verify_code)
        return (
            f"the peer's certificate was refused, {error.verify_message.rstrip('.')}{whose}"
            + (f"; {check}" if check else "")
        )
    reason = error.reason or ""
    for name, words in _ALERTS.items():
        if "ALERT" in reason and reason.endswith(name):
            return words
    return _FINDINGS.get(reason) or _reason(error)


def _presented(connection: ssl.SSLObject) -> Certificate | None:
    """The certificate that a failed handshake was about, if OpenSSL still has it.

    `getpeercert()` tells nothing before the handshake is done. What does is public in Python
    3.13 only, and undecoded; the call beneath it has been there since 3.10.
    """
    chain = getattr(
        getattr(connection, "_sslobj", None), "get_unverified_chain", lambda: None
    )()
    if not chain:
        return None
    found: Certificate = chain[0].get_info()
    return found
