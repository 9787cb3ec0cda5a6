"""Profile: what was agreed with a counterparty before it is tested."""

from __future__ import annotations

from dataclasses import dataclass, field

from fixlab.conformance.model import Need
from fixlab.errors import ConfigError

FORBIDDABLE = (Need.GARBLED, Need.DUPLICATE, Need.RESET, Need.STRANGER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a counterparty has agreed to, and what its application does.

    What is not agreed is not tested: a case that needs it is SKIP, and says why. Times are in
    seconds. Raises `ConfigError` for a value that cannot work.
    """

    heartbeat_seconds: int = 30  # HeartBtInt(108) that the runner proposes as initiator
    sending_time_tolerance_seconds: float = 120.0  # case 2o sends one 80 s beyond it
    logout_timeout_seconds: float = 10.0  # LogoutAckThreshold: how long it may wait to close
    # MsgTypes with which the application answers an order: an ExecutionReport, or an echo.
    # Empty: it answers nothing, and cases that need an answer are SKIP.
    app_types: tuple[str, ...] = ("8", "D")
    # The order that its application takes; None: a NewOrderSingle for the version.
    # `$id`, `$now` and `$now-5` stand for an order id and times.
    order: str | None = None
    order_type: str = "D"
    # A type that is defined and not supported, and a valid body of it (case 2r).
    unsupported_type: str = "H"
    unsupported_body: str = "11=$id|55=INTC|54=1"
    default_appl_ver_id: str = "9"  # DefaultApplVerID(1137) of a FIXT session
    dictionary: bool = True  # it checks messages against a data dictionary
    next_expected: bool = False  # NextExpectedMsgSeqNum(789) is in use
    # OnBehalfOfCompID(115) and DeliverToCompID(128) that were agreed; None: neither used nor
    # checked.
    addressing: tuple[str, str] | None = None
    # Further fields of the runner's Logon, such as Username(553) and Password(554). Not shown.
    logon_fields: tuple[tuple[int, str], ...] = field(default=(), repr=False)
    forbidden: frozenset[Need] = frozenset()  # what it does not want to see in its environment

    def __post_init__(self) -> None:
        if not 1 <= self.heartbeat_seconds <= 3600:
            raise ConfigError(
                f"heartbeat_seconds must be 1 to 3600, found {self.heartbeat_seconds}"
            )
        for name in ("sending_time_tolerance_seconds", "logout_timeout_seconds"):
            value = getattr(self, name)
            if not 0 < value <= 86_400:
                raise ConfigError(f"{name} must be above 0, to 86400, found {value}")
        for tag, value in self.logon_fields:
            if not 0 < tag < 10**9 or not value or "\x01" in value:
                raise ConfigError(
                    f"logon_fields are tags and texts without SOH, found tag {tag} with "
                    f"{'SOH in its text' if value else 'no text'}"
                )
        unknown = sorted(set(map(str, self.forbidden)) - set(map(str, FORBIDDABLE)))
        if unknown:
            raise ConfigError(
                f"forbidden may name {', '.join(FORBIDDABLE)}, found {', '.join(unknown)}"
            )
        object.__setattr__(self, "forbidden", frozenset(map(Need, self.forbidden)))
