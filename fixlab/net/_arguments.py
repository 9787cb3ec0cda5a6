"""Arguments that both ends of a connection take: a port, and TLS or none."""

from __future__ import annotations

import ssl

from fixlab.errors import ConfigError


def check_port(port: object, least: int) -> None:
    """Raises `ConfigError` unless `port` is a whole number from `least` to 65535."""
    if isinstance(port, bool) or not isinstance(port, int):
        raise ConfigError(f"port must be {least} to 65535, found {port!r}, which is no int")
    if not least <= port < 65_536:
        raise ConfigError(f"port must be {least} to 65535, found {port}")


def check_tls(tls: object, maker: str) -> None:
    """Raises `ConfigError` unless `tls` is an `ssl.SSLContext`, as `maker` makes, or None."""
    if tls is not None and not isinstance(tls, ssl.SSLContext):
        raise ConfigError(
            f"tls must be an ssl.SSLContext, such as fixlab.net.tls.{maker}, or None, "
            f"found {tls!r}"
        )
