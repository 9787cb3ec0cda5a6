"""AllowedAddresses: which addresses a list of addresses, networks and names holds."""

import asyncio
from typing import Any

import pytest

from fixlab.errors import ConfigError, ConnectError
from fixlab.net.addresses import AllowedAddresses


@pytest.mark.parametrize(
    ("words", "inside", "outside"),
    [
        ([], ["10.0.0.1", "::1", ""], []),
        (["10.1.2.3"], ["10.1.2.3", "::ffff:10.1.2.3"], ["10.1.2.4", "::1", "", "x"]),
        (["::ffff:10.1.2.3"], ["10.1.2.3"], ["10.1.2.4"]),
        (["10.0.0.0/8"], ["10.255.0.1", "::ffff:10.0.0.1"], ["11.0.0.1", "::a00:1"]),
        (["2001:db8::/32"], ["2001:db8::1", "2001:0DB8:1::%eth0"], ["2001:db9::1"]),
        (["fe80::1%eth0", "::1"], ["fe80::1%eth1", "::1"], ["fe80::2"]),
        (["0.0.0.0/0"], ["8.8.8.8"], ["2001:db8::1"]),
    ],
)
def test_dsc_01_addresses_and_networks(
    words: list[str], inside: list[str], outside: list[str]
) -> None:
    allowed = AllowedAddresses(words)
    assert [host for host in inside if host not in allowed] == []
    assert [host for host in outside if host in allowed] == []


def test_dsc_01_a_name_is_looked_up_once_before_anyone_comes() -> None:
    allowed = AllowedAddresses(["localhost"])
    assert "127.0.0.1" not in allowed
    asyncio.run(allowed.resolve())
    assert "127.0.0.1" in allowed
    assert "10.0.0.1" not in allowed


def test_a_name_that_nobody_knows_is_told() -> None:
    allowed = AllowedAddresses(["no-such-host.invalid"])
    with pytest.raises(ConnectError, match=r"unknown host no-such-host\.invalid"):
        asyncio.run(allowed.resolve())


@pytest.mark.parametrize(
    "words",
    [
        *("10.0.0.1", 5, [5], [""], ["10.0.0.256"], ["10.0.0.1/8"], ["10.0.0.0/33"], ["a b"]),
        *(["10.1"], ["x/8"], ["a..b"], ["*"], ["[::1]"], ["10.0.0.1:9880"], ["x" * 5_000]),
    ],
)
def test_what_is_none_of_them_is_refused(words: Any) -> None:
    with pytest.raises(ConfigError, match="allowed_addresses must"):
        AllowedAddresses(words)
