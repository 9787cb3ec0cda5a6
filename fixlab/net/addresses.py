"""Who may connect at all, by where a connection comes from."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from fixlab.errors import ConfigError, ConnectError

# A name's last part is never a number, so that a mistyped address is not looked up.
_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*(?![0-9]+\.?$)[a-z0-9_-]{1,63}\.?", re.IGNORECASE)

Address = IPv4Address | IPv6Address


class AllowedAddresses:
    """A list of addresses, networks and names; an empty one holds every address (DSC-01).

    `words` are such as `10.1.2.3`, `10.0.0.0/8`, `2001:db8::/32` and `fund.example`. Names are
    looked up once, by `resolve()`. Raises `ConfigError` for a word that is none of them.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        if isinstance(words, str) or not isinstance(words, Iterable):
            raise ConfigError(f"allowed_addresses must be a list of texts, found {words!r}")
        self._networks: list[IPv4Network | IPv6Network] = []
        self._names: list[str] = []
        self._found: set[Address] = set()
        for word in words:
            if not isinstance(word, str):
                raise ConfigError(f"allowed_addresses must hold texts, found {word!r}")
            if (address := address_of(word)) is not None:
                self._found.add(address)
            elif _NAME.fullmatch(word):
                self._names.append(word)
            else:
                self._networks.append(_network(word))
        self._any = not (self._networks or self._names or self._found)

    async def resolve(self) -> None:
        """Look the names up; raises `ConnectError` for one that has no address."""
        loop = asyncio.get_running_loop()
        for name in self._names:
            try:
                found = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError) as error:
                why = getattr(error, "strerror", None) or error
                raise ConnectError(
                    f"allowed_addresses: unknown host {name} ({why}); check the name, or give "
                    f"its address"
                ) from None
            known = [address_of(str(entry[4][0])) for entry in found]
            self._found.update(address for address in known if address is not None)

    def __contains__(self, host: str) -> bool:
        """Whether a connection from the address `host` may come in."""
        if self._any:
            return True
        address = address_of(host)
        return address is not None and (
            address in self._found or any(address in network for network in self._networks)
        )


def address_of(text: str) -> Address | None:
    """An address without its zone; one of IPv4 that is written as IPv6 is one of IPv4."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _network(word: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(word)
    except ValueError as error:
        raise ConfigError(
            f"allowed_addresses must hold addresses, networks such as 10.0.0.0/8 and names, "
            f"found {word[:100]!r}: {error}"
        ) from None
