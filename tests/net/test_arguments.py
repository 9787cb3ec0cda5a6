"""Initiator and Acceptor: an argument of another type is named before anything connects."""

from typing import Any

import pytest

from fixlab.errors import ConfigError
from fixlab.net.acceptor import Acceptor
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig

CONFIG = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")


@pytest.mark.parametrize("port", ["9880", 9880.0, None, True, 0, 65_536, -1])
def test_an_initiator_wants_a_port_to_connect_to(port: Any) -> None:
    with pytest.raises(ConfigError, match=f"port must be 1 to 65535, found {port!r}"):
        Initiator(CONFIG, port=port)


@pytest.mark.parametrize("port", ["9880", 9880.0, None, True, 65_536, -1])
def test_an_acceptor_wants_a_port_to_listen_on(port: Any) -> None:
    with pytest.raises(ConfigError, match=f"port must be 0 to 65535, found {port!r}"):
        Acceptor(CONFIG, port=port)


@pytest.mark.parametrize("tls", [True, "cert.pem"])
def test_tls_01_tls_is_a_context(tls: Any) -> None:
    with pytest.raises(ConfigError, match=f"client_context.*found {tls!r}"):
        Initiator(CONFIG, port=9880, tls=tls)
    with pytest.raises(ConfigError, match=f"server_context.*found {tls!r}"):
        Acceptor(CONFIG, tls=tls)
    # The names of callers ask more of the context, but first of all that it is one.
    with pytest.raises(ConfigError, match=f"server_context.*found {tls!r}"):
        Acceptor(CONFIG, tls=tls, tls_identities={"BUY": "buy.example"})


def test_a_store_is_no_path() -> None:
    store: Any = "x.sqlite"
    with pytest.raises(ConfigError, match=r"store must be a Store, .*found 'x\.sqlite'"):
        Initiator(CONFIG, port=9880, store=store)
    with pytest.raises(ConfigError, match=r"store must be a Store, .*found 'x\.sqlite'"):
        Acceptor(CONFIG, store=store)


@pytest.mark.parametrize("configs", ["x", [CONFIG, "x"], 5])
def test_an_acceptor_wants_configs(configs: Any) -> None:
    with pytest.raises(ConfigError, match="an acceptor needs SessionConfigs, found"):
        Acceptor(configs)
