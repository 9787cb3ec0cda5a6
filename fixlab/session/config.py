"""SessionConfig: each setting once, its unit in its name, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from fixlab.errors import ConfigError

# BeginString(8) of every version, with the ApplVerID(1128) values that FIXT can carry.
BEGIN_STRINGS = ("FIX.4.0", "FIX.4.1", "FIX.4.2", "FIX.4.3", "FIX.4.4", "FIXT.1.1")
APPL_VER_IDS = {
    "FIX.4.0": "2",
    "FIX.4.1": "3",
    "FIX.4.2": "4",
    "FIX.4.3": "5",
    "FIX.4.4": "6",
    "FIX.5.0": "7",
    "FIX.5.0SP1": "8",
    "FIX.5.0SP2": "9",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """Settings of one session, seen from its own side.

    Raises `ConfigError` when a value cannot work, naming the setting, what was found and what
    was expected.
    """

    sender_comp_id: str  # own CompID: SenderCompID(49) of what leaves
    target_comp_id: str  # the peer's CompID
    begin_string: str = "FIX.4.4"
    # ApplVerID of a FIXT session: "9", or by name, "FIX.5.0SP2" (LGN-25).
    default_appl_ver_id: str | None = None

    heartbeat_seconds: int = 30  # HeartBtInt(108); an acceptor adopts the initiator's (LGN-14)
    test_request_factor: float = 1.2  # HBT-04: test case 6 and QuickFIX wait 1.2 intervals
    silence_limit_factor: float = 2.4  # HBT-05: two such waits
    logon_timeout_seconds: float = 10.0  # LGN-28: what QuickFIX, QuickFIX/J and /n wait
    logout_timeout_seconds: float = 10.0  # LGO-01: LogoutAckThreshold of the 2003 text
    disconnect_wait_seconds: float = 2.0  # LGO-12: after a Logout over a protocol error
    sending_time_tolerance_seconds: float | None = 120.0  # HDR-04; None checks nothing
    timestamp_digits: int | None = None  # fraction of SendingTime; None: 3, or 0 up to 4.1

    resend_range: Literal["open", "exact"] = "open"  # RRQ-01: EndSeqNo(16) 0, or the last
    resend_timeout_seconds: float = 30.0  # RRQ-06: no progress for so long: ask once more
    held_max: int = 10_000  # RRQ-10: early messages kept while a gap is open
    replay_batch_max: int = 1_000  # RSP-15: messages resent before other input gets a turn
    replay_repeat_max: int = 5  # RSP-17: the same range asked for so often without progress

    message_bytes_max: int = 1 << 20  # FRM-13: bounds every buffer of the session
    reset_on_logon: bool = False  # LGN-17: every Logon starts both numbers at 1
    username: str | None = None  # Username(553); FIX.4.3 and later
    password: str | None = field(default=None, repr=False)  # Password(554), never shown

    def __post_init__(self) -> None:
        self._check_identity()
        self._check_numbers()

    def _check_identity(self) -> None:
        for name in ("sender_comp_id", "target_comp_id"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value or not _is_wire_text(value):
                raise ConfigError(
                    f"{name} must be one or more printable ASCII characters, found {value!r}"
                )
        if self.begin_string not in BEGIN_STRINGS:
            hint = ""
            if self.begin_string.startswith("FIX.5"):
                hint = '; FIX 5.0 travels as begin_string="FIXT.1.1" with default_appl_ver_id'
            raise ConfigError(
                f"begin_string must be one of {', '.join(BEGIN_STRINGS)}, "
                f"found {self.begin_string!r}{hint}"
            )
        if self.begin_string == "FIXT.1.1":
            given = self.default_appl_ver_id or "9"
            value = APPL_VER_IDS.get(given, given)
            if value not in APPL_VER_IDS.values():
                raise ConfigError(
                    f"default_appl_ver_id must be one of {', '.join(APPL_VER_IDS)} or their "
                    f"codes, found {given!r}"
                )
            object.__setattr__(self, "default_appl_ver_id", value)
        elif self.default_appl_ver_id is not None:
            raise ConfigError(
                f"default_appl_ver_id belongs to FIXT.1.1, not to {self.begin_string}"
            )
        for name in ("username", "password"):
            value = getattr(self, name)
            if value is None:
                continue
            if self.begin_string in ("FIX.4.0", "FIX.4.1", "FIX.4.2"):
                raise ConfigError(f"{name} needs FIX.4.3 or later, found {self.begin_string}")
            if not isinstance(value, str) or not value or not _is_wire_text(value):
                # The value itself is never shown: it may be a secret.
                raise ConfigError(f"{name} must be one or more printable ASCII characters")

    def _check_numbers(self) -> None:
        at_least_zero = ("heartbeat_seconds", "disconnect_wait_seconds")
        positive = (
            "logon_timeout_seconds",
            "logout_timeout_seconds",
            "resend_timeout_seconds",
        )
        for name in at_least_zero + positive:
            value = getattr(self, name)
            if not 0 <= value <= 86_400 * 365 or (name in positive and value == 0):
                raise ConfigError(f"{name} must be a positive number of seconds, found {value}")
        if self.heartbeat_seconds != int(self.heartbeat_seconds):
            raise ConfigError(
                f"heartbeat_seconds must be whole seconds, found {self.heartbeat_seconds}"
            )
        tolerance = self.sending_time_tolerance_seconds
        if tolerance is not None and not 0 < tolerance < 86_400 * 36_500:
            raise ConfigError(
                f"sending_time_tolerance_seconds must be positive or None, found {tolerance}"
            )
        if not 1 <= self.test_request_factor < self.silence_limit_factor <= 1000:
            raise ConfigError(
                "test_request_factor must be at least 1 and below silence_limit_factor (up to "
                "1000), found "
                f"{self.test_request_factor} and {self.silence_limit_factor}"
            )
        if self.timestamp_digits is not None and not 0 <= self.timestamp_digits <= 9:
            raise ConfigError(
                f"timestamp_digits must be None or 0 to 9, found {self.timestamp_digits}"
            )
        if self.resend_range not in ("open", "exact"):
            raise ConfigError(
                f'resend_range must be "open" or "exact", found {self.resend_range!r}'
            )
        for name in ("held_max", "replay_batch_max", "replay_repeat_max"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, found {getattr(self, name)}")
        if not 256 <= self.message_bytes_max <= 1 << 30:
            raise ConfigError(
                f"message_bytes_max must be 256 to {1 << 30}, found {self.message_bytes_max}"
            )
        if self.reset_on_logon and self.begin_string == "FIX.4.0":
            raise ConfigError("reset_on_logon needs ResetSeqNumFlag(141), which FIX.4.0 lacks")

    @property
    def session_id(self) -> str:
        """Name of the session seen from this side, such as `FIX.4.4:BUY->SELL`."""
        return f"{self.begin_string}:{self.sender_comp_id}->{self.target_comp_id}"

    @property
    def sending_time_digits(self) -> int:
        """Fractional digits of SendingTime(52): FIX.4.0 and 4.1 know whole seconds only."""
        if self.timestamp_digits is not None:
            return self.timestamp_digits
        return 0 if self.begin_string in ("FIX.4.0", "FIX.4.1") else 3

    def mirrored(self) -> SessionConfig:
        """The same session seen from the other side: CompIDs swapped."""
        return replace(
            self, sender_comp_id=self.target_comp_id, target_comp_id=self.sender_comp_id
        )


def _is_wire_text(value: str) -> bool:
    return value.isascii() and value.isprintable()
