"""SessionConfig: each setting once, its unit in its name, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fixlab import redact
from fixlab.dictionary.checks import Checks
from fixlab.dictionary.dictionary import Dictionary
from fixlab.errors import ConfigError, DictionaryError
from fixlab.session.config_types import kind_of, taken
from fixlab.session.profiles import PROFILES, PossDupCheck, Profile
from fixlab.session.schedule import Schedule
from fixlab.session.transitions import Role
from fixlab.wire.tags import (
    ADMIN_TYPES,
    DEFAULT_APPL_VER_ID,
    ENCRYPT_METHOD,
    HEART_BT_INT,
    ORIG_SENDING_TIME,
    PASSWORD,
    POSS_DUP_FLAG,
    REJECT,
    RESET_SEQ_NUM_FLAG,
    USERNAME,
)

if TYPE_CHECKING:
    import os

    from fixlab.session.cfg import CfgTls, Draft

# Stands for "as the profile says"; no config keeps it past its making.
FROM_PROFILE: Any = type("FromProfile", (), {"__repr__": lambda self: "as the profile says"})()

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


# The settings that a profile gives a default.
_OF_PROFILE = (
    "logout_timeout_seconds",
    "disconnect_wait_seconds",
    "heartbeat_factor",
    "test_request_factor",
    "test_request_extra_seconds",
    "silence_limit_factor",
    "logout_on_silence",
    "test_req_id",
    "early_messages",
    "resend_timeout_seconds",
    "poss_dup_check",
)
_OLD = ("FIX.4.0", "FIX.4.1")
# Fields of a Logon that a setting of their own writes; 383, 464 and 789 have no names here.
_LOGON_TAGS = frozenset(
    {ENCRYPT_METHOD, HEART_BT_INT, RESET_SEQ_NUM_FLAG, USERNAME, PASSWORD, DEFAULT_APPL_VER_ID}
) | {POSS_DUP_FLAG, ORIG_SENDING_TIME, 464, 789}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """Settings of one session, seen from its own side.

    Where a setting says FROM_PROFILE, the default is that of the `profile`. A list or a set is
    as good as a frozenset, and a mapping as good as pairs; they are kept as annotated.

    Raises `ConfigError` when a value has another type or cannot work, naming the setting, what
    was found and what was expected.
    """

    sender_comp_id: str  # own CompID: SenderCompID(49) of what leaves
    target_comp_id: str  # the peer's CompID
    begin_string: str = "FIX.4.4"
    # ApplVerID of a FIXT session: "9", or by name, "FIX.5.0SP2" (LGN-25). None: that of the
    # dictionary, else "9".
    default_appl_ver_id: str | None = None

    profile: str = "spec"  # the engine to behave as: a name of `profiles.PROFILES`
    # Further parts of the address, sent in every header; never part of who a session is
    # (HDR-03). SessionQualifier tells two otherwise equal sessions apart, off the wire.
    sender_sub_id: str | None = None  # SenderSubID(50)
    sender_location_id: str | None = None  # SenderLocationID(142)
    target_sub_id: str | None = None  # TargetSubID(57)
    target_location_id: str | None = None  # TargetLocationID(143)
    session_qualifier: str | None = None

    # Logon.
    username: str | None = None  # Username(553); FIX.4.3 and later
    password: str | None = field(default=None, repr=False)  # Password(554), never shown
    logon_fields: tuple[tuple[int, str], ...] = ()  # more fields of the own Logon, in order
    test_session: bool | None = None  # HDR-13: TestMessageIndicator(464); None: not looked at
    heartbeat_seconds: int = 30  # HeartBtInt(108); an acceptor adopts the initiator's (LGN-14)
    # LGN-14: the least and the most that an acceptor agrees to; None: any.
    heartbeat_range_seconds: tuple[int, int] | None = None
    logon_timeout_seconds: float = 10.0  # LGN-28: what QuickFIX, QuickFIX/J and /n wait
    logout_timeout_seconds: float = FROM_PROFILE
    disconnect_wait_seconds: float = FROM_PROFILE

    # Time.
    heartbeat_factor: float = FROM_PROFILE
    test_request_factor: float = FROM_PROFILE
    test_request_extra_seconds: float = FROM_PROFILE
    silence_limit_factor: float = FROM_PROFILE
    check_silence: bool = True  # HBT-04, HBT-05: False never probes and never hangs up
    logout_on_silence: bool = FROM_PROFILE
    test_req_id: str | None = FROM_PROFILE
    sending_time_tolerance_seconds: float | None = 120.0  # HDR-04; None checks nothing
    timestamp_digits: int | None = None  # fraction of SendingTime; None: 3, or 0 up to 4.1
    schedule: Schedule | None = None  # SCH-01: when a session lasts; None: it never ends

    # Sequence numbers and recovery.
    reset_on_logon: bool = False  # LGN-17: every Logon starts both numbers at 1
    reset_on_logout: bool = False  # SCH-06: both numbers back to 1 after a Logout
    reset_on_disconnect: bool = False  # SCH-06: and after any other end of a connection
    next_expected: bool = False  # LGN-21: NextExpectedMsgSeqNum(789) in the Logon
    last_processed: bool = False  # HDR-11: LastMsgSeqNumProcessed(369) in every header
    early_messages: Literal["hold", "drop"] = FROM_PROFILE
    resend_range: Literal["open", "exact"] = "open"  # RRQ-01: EndSeqNo(16) 0, or the last
    resend_chunk_max: int | None = None  # RRQ-03: most numbers that one request asks for
    redundant_requests: bool = False  # RRQ-04: ask again at every early message
    resend_timeout_seconds: float | None = FROM_PROFILE  # RRQ-06: no progress: ask once more
    held_max: int = 10_000  # RRQ-10: early messages kept while a gap is open
    replay_batch_max: int = 250  # RSP-15: messages resent before other input gets a turn
    replay_repeat_max: int = 5  # RSP-17: the same range asked for so often without progress
    # RSP-02, RSP-03, RSP-09: types that are never resent but gap-filled over. Without "3" a
    # Reject is resent; with "D" an order that would be stale is not.
    gap_fill_types: frozenset[str] = ADMIN_TYPES
    persist_messages: bool = True  # False: keep numbers only, answer requests by gap fill
    # SEQ-03, SEQ-05: False takes each message as it comes and asks for none that is missing;
    # NextNumIn is one above the highest number seen.
    check_sequence_numbers: bool = True
    # PRS-01: True lets the application write PossDupFlag(43) and OrigSendingTime(122) itself.
    allow_poss_dup: bool = False

    # Checks.
    check_comp_id: bool = True  # HDR-02
    check_length_and_checksum: bool = True  # FRM-03, FRM-04
    check_checksum: bool = True  # FRM-04 alone: False still checks the length
    # FRM-06: True answers a garbled message that shows its MsgSeqNum(34) with a Reject.
    reject_garbled: bool = False
    poss_dup_check: PossDupCheck = FROM_PROFILE
    dictionary: Dictionary | None = field(default=None, repr=False)
    validation: Literal["strict", "warn", "off"] = "strict"  # what a dictionary is used for
    checks: Checks = field(default_factory=Checks)  # which of its checks are made
    # HDR-07: application types that are handled; others are known but unsupported. None: all.
    supported_types: frozenset[str] | None = None
    message_bytes_max: int = 1 << 20  # FRM-13: bounds every buffer of the session

    # When `on_event` raises.
    reject_on_handler_error: bool = False  # REJ-15: the message it raised on is refused
    disconnect_on_handler_error: bool = False  # DSC-02: Logout, and the connection ends

    def __post_init__(self) -> None:
        if not isinstance(self.profile, str) or self.profile not in PROFILES:
            raise ConfigError(
                f"profile must be one of {', '.join(PROFILES)}, found {self.profile!r}"
            )
        for name in _OF_PROFILE:
            if getattr(self, name) is FROM_PROFILE:
                object.__setattr__(self, name, getattr(self.habits, name))
        for name, kind in _KINDS:
            value = getattr(self, name)
            if value.__class__ not in kind.exact:
                object.__setattr__(self, name, taken(name, kind, value))
        self._check_identity()
        self._check_application()
        self._check_logon()
        self._check_numbers()
        self._check_recovery()
        for name in ("check_length_and_checksum", "check_checksum"):
            if self.reject_garbled and not getattr(self, name):
                # What is garbled would be taken for good.
                raise ConfigError(f"reject_garbled needs {name}=True, found False")

    def __repr__(self) -> str:
        """What differs from the defaults; secrets in `logon_fields` are masked."""
        shown = []
        for one in fields(self):
            value = getattr(self, one.name)
            if not one.repr or value == self._default(one):
                continue
            if one.name == "logon_fields":
                # `mask` also knows the tags that `redact.hide` was given.
                value = tuple((t, redact.mask(f"{t}={v}").partition("=")[2]) for t, v in value)
            shown.append(f"{one.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def _default(self, setting: Field[Any]) -> object:
        if setting.default_factory is not MISSING:
            return setting.default_factory()
        if setting.default is FROM_PROFILE:
            return getattr(self.habits, setting.name)
        return setting.default

    @classmethod
    def from_cfg(
        cls,
        path: str | os.PathLike[str],
        *,
        profile: str = "spec",
        environment: Mapping[str, str] | None = None,
    ) -> tuple[CfgSession, ...]:
        """The sessions in the QuickFIX `.cfg` file at `path`, in its order.

        Keys of QuickFIX, QuickFIX/J and QuickFIX/n are understood; those without effect are
        listed in `CfgSession.ignored`, never refused. What no key says is as in `profile`.
        Dictionaries and certificates are looked for in the folder of the file, then in the
        working directory (QuickFIX knows only the latter); `UseDataDictionary=N` loads none.
        With `ContinueInitializationOnError=Y` a session that cannot work is left out, and
        `ignored` of the others says why.
        `environment`, such as `os.environ`, replaces `$NAME`, `$(NAME)` and `${NAME}` in
        values and undoes backslash escapes; without it both are plain text.

        Raises `ConfigError`, with file, line, section and key, for a file or a dictionary that
        cannot be read, a key that is missing or contradicts another, a value that cannot work,
        and a session that comes twice.
        """
        # Only here: a session that is made in code needs no reader of files.
        from fixlab.session import cfg

        sessions: list[CfgSession] = []
        left_out: list[ConfigError] = []
        for draft in cfg.read(Path(path), profile=profile, environment=environment):
            if isinstance(draft, ConfigError):
                left_out.append(draft)
                continue
            try:
                sessions.append(_session_of(cls, draft))
            except ConfigError as error:
                if not draft.optional:
                    raise
                left_out.append(error)
        if not sessions:
            raise left_out[0]
        lines = [f"{error}; left out: ContinueInitializationOnError=Y" for error in left_out]
        return tuple([replace(one, ignored=(*one.ignored, *lines)) for one in sessions])

    @property
    def habits(self) -> Profile:
        """The profile itself, for what no setting of its own says."""
        return PROFILES[self.profile]

    def imitating(self, profile: str) -> SessionConfig:
        """The same session, behaving as another engine: all that a profile sets is set anew.

        `dataclasses.replace(config, profile=...)` would keep what the former profile had set.
        """
        return replace(self, profile=profile, **dict.fromkeys(_OF_PROFILE, FROM_PROFILE))

    def _check_identity(self) -> None:
        for name in ("sender_comp_id", "target_comp_id"):
            value = getattr(self, name)
            if not value or not _is_wire_text(value):
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
        for name in ("username", "password"):
            value = getattr(self, name)
            if value is None:
                continue
            if self.begin_string in ("FIX.4.0", "FIX.4.1", "FIX.4.2"):
                raise ConfigError(f"{name} needs FIX.4.3 or later, found {self.begin_string}")
            if not value or not _is_wire_text(value):
                # The value itself is never shown: it may be a secret.
                raise ConfigError(f"{name} must be one or more printable ASCII characters")

    def _check_application(self) -> None:
        """LGN-25: what FIXT carries, and that the dictionary is for it."""
        dictionary = self.dictionary
        if dictionary is not None and dictionary.version != self.begin_string:
            hint = ""
            if self.begin_string == "FIXT.1.1":
                hint = (
                    '; join both parts: Dictionary.from_quickfix_xml("FIXT11.xml", '
                    'application="FIX50SP2.xml")'
                )
            raise ConfigError(
                f"dictionary is for {dictionary.version}, expected one for "
                f"{self.begin_string}, the session's begin_string{hint}"
            )
        given = self.default_appl_ver_id
        if self.begin_string != "FIXT.1.1":
            if given is not None:
                raise ConfigError(
                    f"default_appl_ver_id belongs to FIXT.1.1, not to {self.begin_string}"
                )
            return
        # A transport's dictionary without an application's says nothing of what it carries.
        carries = {} if dictionary is None else dictionary.applications
        if given is None:
            given = "9"
            if dictionary is not None and carries:
                given = dictionary.application_version
        code = APPL_VER_IDS.get(given, given)
        if code not in APPL_VER_IDS.values():
            raise ConfigError(
                f"default_appl_ver_id must be one of {', '.join(APPL_VER_IDS)} or their "
                f"codes, found {given!r}"
            )
        object.__setattr__(self, "default_appl_ver_id", code)
        if carries and code not in carries:
            versions = ", ".join([one.application_version for one in carries.values()])
            raise ConfigError(
                f"dictionary carries {versions}, but default_appl_ver_id is {given!r}; give "
                f"application= the dictionary of that version, too"
            )
        if carries:
            # Of several, the one that messages without an ApplVerID(1128) are held against.
            object.__setattr__(self, "dictionary", carries[code])

    def _check_numbers(self) -> None:
        at_least_zero = (
            "heartbeat_seconds",
            "disconnect_wait_seconds",
            "test_request_extra_seconds",
        )
        positive: tuple[str, ...] = ("logon_timeout_seconds", "logout_timeout_seconds")
        if self.resend_timeout_seconds is not None:
            positive += ("resend_timeout_seconds",)
        for name in at_least_zero + positive:
            value = getattr(self, name)
            if not 0 <= value <= 86_400 * 365 or (name in positive and value == 0):
                raise ConfigError(f"{name} must be a positive number of seconds, found {value}")
        tolerance = self.sending_time_tolerance_seconds
        if tolerance is not None and not 0 < tolerance < 86_400 * 36_500:
            raise ConfigError(
                f"sending_time_tolerance_seconds must be positive or None, found {tolerance}"
            )
        if not 0.1 <= self.heartbeat_factor <= 10:
            raise ConfigError(
                f"heartbeat_factor must be 0.1 to 10, found {self.heartbeat_factor}"
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
        for name in ("held_max", "replay_batch_max", "replay_repeat_max"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, found {getattr(self, name)}")
        if not 256 <= self.message_bytes_max <= 1 << 30:
            raise ConfigError(
                f"message_bytes_max must be 256 to {1 << 30}, found {self.message_bytes_max}"
            )

    def _check_logon(self) -> None:
        for name in (
            "sender_sub_id",
            "sender_location_id",
            "target_sub_id",
            "target_location_id",
            "session_qualifier",
            "test_req_id",
        ):
            value = getattr(self, name)
            if value is not None and (not value or not _is_wire_text(value)):
                raise ConfigError(f"{name} must be printable ASCII or None, found {value!r}")
        if self.begin_string == "FIX.4.0" and (
            self.sender_location_id is not None or self.target_location_id is not None
        ):
            raise ConfigError("sender_location_id and target_location_id need FIX.4.1 or later")
        if self.test_session is not None and self.begin_string in (*_OLD, "FIX.4.2"):
            raise ConfigError(f"test_session needs FIX.4.3 or later, found {self.begin_string}")
        if self.heartbeat_range_seconds is not None:
            least, most = self.heartbeat_range_seconds
            if not 0 <= least <= most:
                raise ConfigError(
                    f"heartbeat_range_seconds must be a least and a most, found "
                    f"{self.heartbeat_range_seconds}"
                )
        if self.reset_on_logon and self.begin_string == "FIX.4.0":
            raise ConfigError("reset_on_logon needs ResetSeqNumFlag(141), which FIX.4.0 lacks")
        if self.next_expected and self.begin_string not in ("FIX.4.4", "FIXT.1.1"):
            raise ConfigError(
                f"next_expected needs NextExpectedMsgSeqNum(789), which {self.begin_string} "
                f"lacks"
            )
        if self.last_processed and self.begin_string in _OLD:
            raise ConfigError(
                f"last_processed needs LastMsgSeqNumProcessed(369), which {self.begin_string} "
                f"lacks"
            )
        # None of them may belong to the session.
        taken = sorted(_LOGON_TAGS.intersection(tag for tag, _ in self.logon_fields))
        if self.begin_string in (*_OLD, "FIX.4.2"):
            # No setting writes them there, but some venues ask for them all the same.
            taken = [tag for tag in taken if tag not in (USERNAME, PASSWORD)]
        if taken:
            raise ConfigError(
                f"logon_fields may not hold tags {', '.join(map(str, taken))}, which other "
                f"settings or the session itself write"
            )

    def _check_recovery(self) -> None:
        choices: tuple[tuple[str, tuple[str, ...]], ...] = (
            ("resend_range", ("open", "exact")),
            ("early_messages", ("hold", "drop")),
            ("poss_dup_check", ("always", "too_low", "never")),
            ("validation", ("strict", "warn", "off")),
        )
        for name, allowed in choices:
            if getattr(self, name) not in allowed:
                words = " or ".join(f'"{word}"' for word in allowed)
                raise ConfigError(f"{name} must be {words}, found {getattr(self, name)!r}")
        if self.resend_chunk_max is not None and self.resend_chunk_max < 1:
            raise ConfigError(
                f"resend_chunk_max must be at least 1 or None, found {self.resend_chunk_max}"
            )
        missing = sorted(ADMIN_TYPES - {REJECT} - self.gap_fill_types)
        if missing:
            # RSP-02: who resent a Logon or a ResendRequest would start all over.
            raise ConfigError(
                f"gap_fill_types must hold 0, 1, 2, 4, 5 and A; missing {', '.join(missing)}"
            )
        if self.early_messages == "drop" and self.resend_range == "exact":
            raise ConfigError(
                'early_messages="drop" needs resend_range="open": what is dropped must be '
                "asked for with the rest"
            )

    @property
    def session_id(self) -> str:
        """Name of the session seen from this side, such as `FIX.4.4:BUY->SELL`."""
        name = f"{self.begin_string}:{self.sender_comp_id}->{self.target_comp_id}"
        return name if self.session_qualifier is None else f"{name}/{self.session_qualifier}"

    @property
    def sending_time_digits(self) -> int:
        """Fractional digits of SendingTime(52): FIX.4.0 and 4.1 know whole seconds only."""
        if self.timestamp_digits is not None:
            return self.timestamp_digits
        return 0 if self.begin_string in ("FIX.4.0", "FIX.4.1") else 3

    def mirrored(self) -> SessionConfig:
        """The same session seen from the other side: CompIDs swapped."""
        return replace(
            self,
            sender_comp_id=self.target_comp_id,
            sender_sub_id=self.target_sub_id,
            sender_location_id=self.target_location_id,
            target_comp_id=self.sender_comp_id,
            target_sub_id=self.sender_sub_id,
            target_location_id=self.sender_location_id,
        )


# Each setting with its kind, but for those that are a choice among words.
_KINDS = tuple(
    [(one.name, kind) for one in fields(SessionConfig) if (kind := kind_of(str(one.type)))]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CfgSession:
    """One session of a QuickFIX `.cfg` file: its settings, its place, what had no effect."""

    config: SessionConfig
    role: Role
    host: str | None  # to connect to, or to listen on; None: not said, so on every interface
    port: int
    more_hosts: tuple[tuple[str, int], ...]  # initiator: where else, in the file's order
    reconnect_seconds: float  # ReconnectInterval; 30 s as in the engines
    connect_seconds: float | None  # SocketConnectTimeout; None: not said
    allowed_addresses: tuple[str, ...]  # acceptor: AllowedRemoteAddresses; empty: any
    tls: CfgTls | None  # None: plain TCP
    # FileStorePath and FileLogPath as written: relative ones belong to the working directory.
    store_path: Path | None
    store_durability: Literal["process", "power"]  # "power": FileStoreSync=Y
    log_path: Path | None
    secret_tags: tuple[int, ...]  # RedactFieldsInLogs, for `redact.hide`
    template: bool  # AcceptorTemplate: a pattern for sessions rather than a session
    ignored: tuple[str, ...]  # a line for each key without effect: which, where and why


def _session_of(cls: type[SessionConfig], draft: Draft) -> CfgSession:
    settings = dict(draft.settings)
    if draft.dictionary is not None:
        try:
            settings["dictionary"] = Dictionary.from_quickfix_xml(
                draft.dictionary, application=draft.applications or None
            )
        except DictionaryError as error:
            raise draft.blame(error, "dictionary") from None
    try:
        config = cls(**settings)
    except ConfigError as error:
        raise draft.blame(error) from None
    return CfgSession(
        config=config,
        role=draft.role,
        host=draft.host,
        port=draft.port,
        more_hosts=draft.more_hosts,
        reconnect_seconds=draft.reconnect_seconds,
        connect_seconds=draft.connect_seconds,
        tls=draft.tls,
        allowed_addresses=draft.allowed_addresses,
        store_path=draft.store_path,
        store_durability=draft.store_durability,
        log_path=draft.log_path,
        secret_tags=draft.secret_tags,
        template=draft.template,
        ignored=draft.ignored,
    )


def _is_wire_text(value: str) -> bool:
    return value.isascii() and value.isprintable()
