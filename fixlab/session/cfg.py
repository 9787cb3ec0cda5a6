"""QuickFIX `.cfg` files: text -> sections -> the settings of each session, in fixlab's names.

`read()` gives a `Draft` for each `[SESSION]`; `SessionConfig.from_cfg` makes sessions of them.
Keys of QuickFIX (C++), QuickFIX/J and QuickFIX/n are known, in any case. A key that fixlab has
no use for never fails: the draft lists it, and whether an engine knows it. A value that cannot
work, or keys that contradict each other, raise `ConfigError` with file, line, section and key.
Values of keys that may hold a secret are never shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fixlab.dictionary.checks import Checks
from fixlab.dictionary.dictionary import APPL_VER_IDS
from fixlab.errors import ConfigError
from fixlab.session.cfg_file import Section, Setting, place, sections, shown, text_of
from fixlab.session.cfg_keys import SETTLED, is_read, reason_of
from fixlab.session.profiles import PROFILES, SPEC
from fixlab.session.schedule import Schedule, day_number, second_of_day
from fixlab.session.transitions import Role
from fixlab.wire.tags import ADMIN_TYPES, PASSWORD, REJECT, RESEND_REQUEST, USERNAME

_WHOLE = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_SECRET_KEY = re.compile(r"LOGONTAG|PASSWORD|SECRET")
_NAMES = {code: name for name, code in APPL_VER_IDS.items()}
_OLD = ("FIX.4.0", "FIX.4.1")
_NO_LOGON_USER = (*_OLD, "FIX.4.2")
_TEST_MESSAGE_INDICATOR = 464
_ENCRYPT_METHOD = 98
# Names of the one encoding of messages, without what stands between their letters.
_LATIN_1 = ("iso88591", "iso885911987", "latin1", "l1", "isolatin1", "cp819", "ibm819", "28591")
_DIGITS = {"SECONDS": 0, "MILLIS": 3, "MICROS": 6, "NANOS": 9}
# TLS keys without effect when it is off, and those that only one role has a use for.
_TLS_OF_INITIATOR = ("SSLServerName", "UseSNI", "SNIHostName")
_TLS_OF_ACCEPTOR = ("NeedClientAuth", "SSLRequireClientCertificate")
_TLS_PROTOCOLS = ("SSLProtocol", "SSLProtocols", "EnabledProtocols")
_TLS_KEYS = (
    *("ClientCertificateFile", "ClientCertificateKeyFile", "ServerCertificateFile"),
    *("ServerCertificateKeyFile", "SSLCertificate", "SSLCertificatePassword"),
    *("CertificationAuthoritiesFile", "CertificationAuthoritiesDirectory", "SSLCACertificate"),
    *("CertificateVerifyLevel", "SSLValidateCertificates", *_TLS_PROTOCOLS),
    *(*_TLS_OF_INITIATOR, *_TLS_OF_ACCEPTOR),
)
# Engines that tell sessions apart by their SubIDs and LocationIDs, too.
_IDENTITY_WITH_SUB_IDS = ("quickfixj", "quickfixn")
# Where a key is absent, the engine's own default holds if its profile was asked for; `spec`
# and `artio` have fixlab's.
_CHECKS_USER_FIELDS = ("quickfix", "quickfixj", "quickfixn")


@dataclass(frozen=True, slots=True, kw_only=True)
class CfgTls:
    """What a `.cfg` says about TLS, whichever engine's keys it says it in.

    Paths are those of PEM files, if the engine was one that takes them.
    """

    certificate: Path | None = None  # the own one
    private_key: Path | None = None
    password: str | None = field(default=None, repr=False)  # of the private key, never shown
    authorities: Path | None = None  # a file, or a folder of files
    verify: bool = True  # False accepts any certificate: for labs only
    client_certificate: bool | None = None  # acceptor: demanded or not; None: not said
    server_name: str | None = None  # initiator: the name expected, and sent as SNI
    protocols: tuple[str, ...] = ()  # as written, such as TLSv1.2; empty: not said


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A session as a file describes it: arguments for `SessionConfig`, and all around it."""

    where: str  # "venue.cfg, line 12, [SESSION] FIX.4.4:A->B"
    settings: dict[str, Any] = field(repr=False)  # arguments for `SessionConfig`
    sources: dict[str, tuple[Setting, ...]] = field(repr=False)  # the keys behind each
    role: Role
    host: str | None
    port: int
    more_hosts: tuple[tuple[str, int], ...]
    reconnect_seconds: float
    connect_seconds: float | None
    dictionary: Path | None  # for FIXT the transport's
    applications: tuple[Path, ...]
    tls: CfgTls | None
    allowed_addresses: tuple[str, ...]
    store_path: Path | None
    store_durability: Literal["process", "power"]
    log_path: Path | None
    secret_tags: tuple[int, ...]
    template: bool
    optional: bool  # ContinueInitializationOnError: left out if it cannot work
    ignored: tuple[str, ...]

    def blame(self, error: Exception, *names: str) -> ConfigError:
        """What `SessionConfig` or `Dictionary` says, with the keys that it is about.

        These are the keys behind the settings in `names`, or else in the error's text.
        """
        about = " ".join(names) or str(error)
        return ConfigError(f"{self.where}{_keys_in(about, self.sources)}: {error}")


def read(
    path: Path, *, profile: str = "spec", environment: Mapping[str, str] | None = None
) -> tuple[Draft | ConfigError, ...]:
    r"""The sessions that the file at `path` describes, in its order.

    With ContinueInitializationOnError=Y, the error of a session takes the place of its draft.

    Values in a section override those in `[DEFAULT]`. With an `environment`, `$NAME`,
    `$(NAME)` and `${NAME}` in values stand for its variables, and a backslash escapes: `\t`,
    `\r` and `\n` are control characters, any other character is itself. Without, both are
    plain text, as QuickFIX has it.

    Raises `ConfigError` when the file cannot be read, has no session, names a variable that
    `environment` lacks, or describes a session that cannot work or comes twice.
    """
    default, found, stray = sections(path, text_of(path), environment)
    drafts: list[Draft | ConfigError] = []
    seen: dict[tuple[str | None, ...], int] = {}
    for section in found:
        settings = {**default, **section.settings}
        try:
            translator = _Translator(path, section, settings, profile)
            draft = translator.draft(stray)
            identity = translator.identity()
            if identity in seen:
                raise ConfigError(
                    f"{draft.where}: the session of line {seen[identity]} has the same "
                    f"identity; expected another BeginString, SenderCompID, TargetCompID or "
                    f"SessionQualifier"
                )
        except ConfigError as error:
            if not _is_optional(settings):
                raise
            drafts.append(error)
            continue
        seen[identity] = section.line
        drafts.append(draft)
    return tuple(drafts)


def _is_optional(settings: Mapping[str, Setting]) -> bool:
    """Whether the others start without this session, should it be misconfigured."""
    setting = settings.get("CONTINUEINITIALIZATIONONERROR")
    return setting is not None and setting.value.upper() == "Y"


class _Translator:
    """Reads the keys of one session; whatever it never asks for ends up in `ignored`."""

    def __init__(
        self, path: Path, section: Section, found: dict[str, Setting], profile: str
    ) -> None:
        self._path = path
        self._found = found
        self._profile = profile
        self._asked: set[str] = set()
        self._notes: dict[str, str] = {}  # upper-case key -> why its value has no effect
        self._settings: dict[str, Any] = {"profile": profile}
        self._sources: dict[str, tuple[Setting, ...]] = {}
        self._where = f"{path}, line {section.line}, [SESSION]"
        self._identify()

    def draft(self, stray: list[str]) -> Draft:
        role, template = self._role()
        self._schedule()
        self._logon(role)
        self._liveness()
        self._recovery()
        self._checks()
        host, port, more = self._addresses(role)
        self._without_choice(role)
        dictionary, applications = self._dictionaries()
        tags = self._text("RedactFieldsInLogs") or ""
        if role is Role.ACCEPTOR:
            for key in ("ReconnectInterval", "SocketConnectTimeout"):
                self._without_effect(key, "of no use to an acceptor")
        reconnect = self._number("ReconnectInterval")
        connect = self._number("SocketConnectTimeout")
        if connect == 0:
            raise self._wrong("SocketConnectTimeout", "a number of seconds above 0")
        if self._text("FileStorePath") is None:
            self._without_effect("FileStoreSync", "there is no FileStorePath")
        allowed = self._text("AllowedRemoteAddresses") if role is Role.ACCEPTOR else None
        return Draft(
            where=self._where,
            settings=self._settings,
            sources=self._sources,
            role=role,
            host=host,
            port=port,
            more_hosts=more,
            # An engine waits 30 s, and by its own default for TCP as long as the system does.
            reconnect_seconds=30.0 if reconnect is None else reconnect,
            connect_seconds=connect,
            dictionary=dictionary,
            applications=applications,
            tls=self._tls(role),
            allowed_addresses=tuple(re.findall(r"[^,;\s]+", allowed or "")),
            store_path=self._path_as_written("FileStorePath"),
            store_durability="power" if self._flag("FileStoreSync") else "process",
            log_path=self._path_as_written("FileLogPath"),
            secret_tags=self._tags("RedactFieldsInLogs", tags),
            template=template,
            optional=bool(self._flag("ContinueInitializationOnError")),
            ignored=(*self._ignored(role), *stray),
        )

    def identity(self) -> tuple[str | None, ...]:
        names = ["begin_string", "sender_comp_id", "target_comp_id", "session_qualifier"]
        if self._profile in _IDENTITY_WITH_SUB_IDS:
            names += ["sender_sub_id", "sender_location_id"]
            names += ["target_sub_id", "target_location_id"]
        return tuple(self._settings.get(name) for name in names)

    # Settings by subject ------------------------------------------------------------------

    def _identify(self) -> None:
        version = self._needed("BeginString", "FIX.4.0 to FIX.4.4, or FIXT.1.1")
        sender = self._needed("SenderCompID", "the own CompID")
        target = self._needed("TargetCompID", "the peer's CompID")
        self._version = version
        self._where += f" {shown(version)}:{shown(sender)}->{shown(target)}"
        self._set("begin_string", version, "BeginString")
        self._set("sender_comp_id", sender, "SenderCompID")
        self._set("target_comp_id", target, "TargetCompID")
        for name, key in (
            ("sender_sub_id", "SenderSubID"),
            ("sender_location_id", "SenderLocationID"),
            ("target_sub_id", "TargetSubID"),
            ("target_location_id", "TargetLocationID"),
            ("session_qualifier", "SessionQualifier"),
        ):
            self._set(name, self._text(key), key)
        if version == "FIXT.1.1":
            code = self._needed("DefaultApplVerID", "a version such as FIX.5.0SP2 or 9")
            self._set("default_appl_ver_id", code, "DefaultApplVerID")
        else:
            self._without_effect("DefaultApplVerID", "only FIXT.1.1 has it")

    def _role(self) -> tuple[Role, bool]:
        kind = self._needed("ConnectionType", "initiator or acceptor")
        try:
            role = Role(kind.lower())
        except ValueError:
            raise self._wrong("ConnectionType", "initiator or acceptor") from None
        if role is Role.ACCEPTOR:
            if self._settings.get("session_qualifier") is not None:
                # It never travels, so an acceptor could not tell the sessions apart.
                raise self._wrong("SessionQualifier", "none: only initiators may have it")
            return role, bool(self._flag("AcceptorTemplate"))
        return role, False

    def _schedule(self) -> None:
        keys = ("StartTime", "EndTime", "StartDay", "EndDay", "Weekdays")
        given = [key for key in keys if self._text(key) is not None]
        if self._flag("NonStopSession"):
            if given:
                raise self._wrong(given[0], "none, for NonStopSession=Y")
            self._without_effect("TimeZone", "NonStopSession=Y has no times")
            return  # a session without a schedule never ends
        start, start_zone = self._time("StartTime")
        end, end_zone = self._time("EndTime")
        if start_zone != end_zone:
            raise self._wrong("EndTime", f"the zone of StartTime, {shown(start_zone)}")
        days = self._text("Weekdays")
        sources = {
            "start": self._setting("StartTime"),
            "end": self._setting("EndTime"),
            "start_day": self._setting("StartDay"),
            "end_day": self._setting("EndDay"),
            "weekdays": self._setting("Weekdays"),
            "time_zone": self._setting("TimeZone"),
        }
        try:
            self._settings["schedule"] = Schedule(
                start=start,
                end=end,
                start_day=self._text("StartDay"),
                end_day=self._text("EndDay"),
                weekdays=None if days is None else tuple(re.split(r"[,\s]+", days.strip(","))),
                time_zone=start_zone,
            )
        except ConfigError as error:
            at = {name: (setting,) for name, setting in sources.items() if setting}
            raise ConfigError(f"{self._where}{_keys_in(str(error), at)}: {error}") from None
        self._logon_times(start, end)

    def _time(self, key: str) -> tuple[str, str]:
        """A time of day and its zone; QuickFIX/J lets the zone stand behind the time."""
        text = self._needed(key, "HH:MM:SS, or NonStopSession=Y")
        time, _, zone = text.partition(" ")
        return time, zone.strip() or self._text("TimeZone") or "UTC"

    def _logon_times(self, start: str, end: str) -> None:
        """The times of a Logon must lie in the session, as the C++ engine demands."""
        weekly = self._text("StartDay") is not None
        period = 86_400 * 7 if weekly else 86_400

        def moment(key: str, day_key: str, text: str, day: str | None) -> int:
            try:
                second = second_of_day(key, text)
                return second + 86_400 * day_number(day_key, day) if weekly and day else second
            except ConfigError as error:
                raise ConfigError(f"{self._where}: {error}") from None

        begin = moment("StartTime", "StartDay", start, self._text("StartDay"))
        length = moment("EndTime", "EndDay", end, self._text("EndDay")) - begin
        length = length % period or period
        for key, day_key, fallback in (
            ("LogonTime", "LogonDay", "StartDay"),
            ("LogoutTime", "LogoutDay", "EndDay"),
        ):
            text = self._peek(key)
            if text is not None:
                day = self._peek(day_key) or self._text(fallback)
                if (moment(key, day_key, text, day) - begin) % period > length:
                    raise self._wrong(key, "a time within StartTime and EndTime")

    def _logon(self, role: Role) -> None:
        if role is Role.INITIATOR:
            self._needed("HeartBtInt", "a number of seconds")
        least = 1 if role is Role.INITIATOR and self._profile == "quickfix" else 0
        self._set("heartbeat_seconds", self._whole("HeartBtInt", least), "HeartBtInt")
        self._set("logon_timeout_seconds", self._number("LogonTimeout"), "LogonTimeout")
        self._set("logout_timeout_seconds", self._number("LogoutTimeout"), "LogoutTimeout")
        self._set("reset_on_logon", self._flag("ResetOnLogon"), "ResetOnLogon")
        self._set("reset_on_logout", self._flag("ResetOnLogout"), "ResetOnLogout")
        self._set("reset_on_disconnect", self._flag("ResetOnDisconnect"), "ResetOnDisconnect")
        key = "TestMessageIndicator"
        if self._version in _NO_LOGON_USER:
            self._without_effect(key, f"{self._version} lacks field 464")
        else:
            self._set("test_session", self._flag(key), key)  # HDR-13
        fields: list[tuple[int, str]] = []
        sources: tuple[Setting, ...] = ()
        for upper in self._numbered("LOGONTAG"):
            setting = self._found[upper]
            self._asked.add(upper)
            tag, value = self._logon_field(setting)
            sources += (setting,)
            if tag == USERNAME and self._version not in _NO_LOGON_USER:
                self._set("username", value, setting.key)
            elif tag == PASSWORD and self._version not in _NO_LOGON_USER:
                self._set("password", value, setting.key)
            elif tag == _TEST_MESSAGE_INDICATOR and self._version not in _NO_LOGON_USER:
                if value not in ("Y", "N"):
                    raise self._wrong(setting.key, "464=Y or 464=N")
                if self._settings.get("test_session", value == "Y") != (value == "Y"):
                    raise self._wrong(setting.key, "what TestMessageIndicator says")
                self._set("test_session", value == "Y", setting.key)
            elif (tag, value) == (_ENCRYPT_METHOD, "0"):
                self._notes[upper] = "EncryptMethod(98) is always 0"
            else:
                fields.append((tag, value))
        if fields:
            self._settings["logon_fields"] = tuple(fields)
            self._sources["logon_fields"] = sources

    def _logon_field(self, setting: Setting) -> tuple[int, str]:
        tag, equals, value = setting.value.partition("=")
        tag, value = tag.strip(), value.strip()
        if not equals or not _WHOLE.fullmatch(tag) or int(tag) == 0 or not value:
            raise self._wrong(setting.key, "tag=value, such as 553=user")
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            raise self._wrong(setting.key, "characters that Latin-1 has") from None
        return int(tag), value

    def _liveness(self) -> None:
        for name, key in (
            ("test_request_factor", "TestRequestDelayMultiplier"),
            ("silence_limit_factor", "HeartBeatTimeoutMultiplier"),
        ):
            share = self._number(key)
            # HBT-04, HBT-05: the key says how much longer than one interval.
            self._set(name, None if share is None else 1 + share, key)
        silent = self._flag("DisableHeartBeatCheck")
        self._set(
            "check_silence", None if silent is None else not silent, "DisableHeartBeatCheck"
        )
        key = "SendLogoutBeforeDisconnectFromTimeout"
        self._set("logout_on_silence", self._flag(key), key)
        latency = self._number("MaxLatency")
        self._set("sending_time_tolerance_seconds", latency, "MaxLatency")
        if self._flag("CheckLatency") is False:
            self._settings["sending_time_tolerance_seconds"] = None  # HDR-04: not checked
            self._sources["sending_time_tolerance_seconds"] = ()
            self._without_effect("MaxLatency", "CheckLatency=N")
        self._timestamps()

    def _timestamps(self) -> None:
        names = ("TimestampPrecision", "MillisecondsInTimeStamp")
        if self._version in _OLD:
            for name in names:
                self._without_effect(name, f"{self._version} has whole seconds only")
            return
        milliseconds = self._flag("MillisecondsInTimeStamp")
        if milliseconds is not None:
            digits = 3 if milliseconds else 0
            self._set("timestamp_digits", digits, "MillisecondsInTimeStamp")
        text = self._text("TimestampPrecision")
        if text is None:
            return
        if text.upper() in _DIGITS:
            digits = _DIGITS[text.upper()]
        elif re.fullmatch("[0-9]", text):
            digits = int(text)
        else:
            raise self._wrong("TimestampPrecision", "0 to 9, SECONDS, MILLIS, MICROS or NANOS")
        self._set("timestamp_digits", digits, "TimestampPrecision")

    def _recovery(self) -> None:
        self._set("persist_messages", self._flag("PersistMessages"), "PersistMessages")
        key = "SendRedundantResendRequests"
        self._set("redundant_requests", self._flag(key), key)
        for key in ("ResendRequestChunkSize", "MaxMessagesInResendRequest"):
            self._set("resend_chunk_max", self._whole(key) or None, key)  # 0: no limit
        if self._flag("ClosedResendInterval"):
            self._set("resend_range", "exact", "ClosedResendInterval")
        for key in ("EnableNextExpectedMsgSeqNum", "SendNextExpectedMsgSeqNum"):
            if self._version in ("FIX.4.4", "FIXT.1.1"):
                if (next_expected := self._flag(key)) is not None:
                    self._set("next_expected", next_expected, key)
            else:
                self._without_effect(key, f"{shown(self._version)} lacks field 789")
        key = "EnableLastMsgSeqNumProcessed"
        if self._version in _OLD:
            self._without_effect(key, f"{self._version} lacks field 369")
        else:
            self._set("last_processed", self._flag(key), key)
        if self._flag("RequiresOrigSendingTime") is False:
            self._set("poss_dup_check", "never", "RequiresOrigSendingTime")  # HDR-08
        if self._flag("ResendSessionLevelRejects"):
            types = ADMIN_TYPES - {REJECT}  # RSP-03
            self._set("gap_fill_types", types, "ResendSessionLevelRejects")
        self._set("allow_poss_dup", self._flag("AllowPosDup"), "AllowPosDup")
        key = "ValidateSequenceNumbers"
        self._set("check_sequence_numbers", self._flag(key), key)

    def _checks(self) -> None:
        self._set("check_comp_id", self._flag("CheckCompID"), "CheckCompID")
        for name, key in (
            ("check_length_and_checksum", "ValidateLengthAndChecksum"),
            ("check_checksum", "ValidateChecksum"),
            ("reject_garbled", "RejectGarbledMessage"),
            ("reject_on_handler_error", "RejectMessageOnUnhandledException"),
            ("disconnect_on_handler_error", "DisconnectOnError"),
        ):
            self._set(name, self._flag(key), key)
        if self._flag("ValidateIncomingMessage") is False:
            self._set("validation", "off", "ValidateIncomingMessage")
            self._flag("RejectInvalidMessage")
            self._without_effect("RejectInvalidMessage", "ValidateIncomingMessage=N")
        elif self._flag("RejectInvalidMessage") is False:
            self._set("validation", "warn", "RejectInvalidMessage")
        unordered = self._flag("ValidateUnorderedGroupFields")
        switches = {
            "fields_out_of_order": self._flag("ValidateFieldsOutOfOrder"),
            "fields_have_values": self._flag("ValidateFieldsHaveValues"),
            "user_defined_fields": self._flag("ValidateUserDefinedFields"),
            "allow_unknown_fields": self._flag("AllowUnknownMsgFields"),
            "allow_unknown_enum_values": self._flag("AllowUnknownEnumValues"),
            "allow_unordered_groups": None if unordered is None else not unordered,
            "first_field_is_delimiter": self._flag("FirstFieldInGroupIsDelimiter"),
        }
        if switches["user_defined_fields"] is None and self._profile in _CHECKS_USER_FIELDS:
            switches["user_defined_fields"] = True
        given = {name: value for name, value in switches.items() if value is not None}
        self._settings["checks"] = Checks(**given)

    def _dictionaries(self) -> tuple[Path | None, tuple[Path, ...]]:
        """The dictionary of the session (of the transport) and those of what it carries."""
        family = [upper for upper in self._found if upper.startswith("APPDATADICTIONARY.")]
        every = ["DATADICTIONARY", "TRANSPORTDATADICTIONARY", "APPDATADICTIONARY", *family]
        if self._flag("UseDataDictionary") is False:
            for upper in every:
                self._without_effect(upper, "UseDataDictionary=N")
            return None, ()
        if self._version != "FIXT.1.1":
            for upper in every[1:]:
                self._without_effect(upper, "only FIXT.1.1 has a transport")
            return self._dictionary("DataDictionary"), ()
        self._without_effect(
            "DataDictionary", "FIXT.1.1 has TransportDataDictionary and AppDataDictionary"
        )
        transport = self._dictionary("TransportDataDictionary")
        plain = self._dictionary("AppDataDictionary")
        versions: dict[str, Path] = {}
        for upper in family:
            path = self._dictionary(upper)
            if path is not None:
                versions[upper.removeprefix("APPDATADICTIONARY.")] = path
        default = str(self._settings["default_appl_ver_id"]).upper()
        default = _NAMES.get(default, default)
        first = versions.pop(default, None)
        if plain is not None and first is not None and plain != first:
            self._notes[f"APPDATADICTIONARY.{default}"] = "AppDataDictionary is of that version"
        applications = tuple(
            dict.fromkeys(p for p in (plain or first, *versions.values()) if p)
        )
        if transport is None and not applications:
            return None, ()
        if transport is None or (plain is None and first is None):
            missing = "TransportDataDictionary" if transport is None else "AppDataDictionary"
            raise ConfigError(
                f"{self._where}: {missing} is missing; FIXT.1.1 needs both dictionaries, or "
                f"UseDataDictionary=N"
            )
        return transport, applications

    def _dictionary(self, key: str) -> Path | None:
        text = self._text(key)
        if text is None:
            return None
        path = self._existing(text)
        if path is None:
            raise self._wrong(
                key, "a file, in the folder of the .cfg file or the working directory"
            )
        setting = self._found[key.upper()]
        self._sources["dictionary"] = (*self._sources.get("dictionary", ()), setting)
        return path

    def _addresses(self, role: Role) -> tuple[str | None, int, tuple[tuple[str, int], ...]]:
        if role is Role.ACCEPTOR:
            self._needed("SocketAcceptPort", "a port to listen on")
            host = self._text("SocketAcceptHost") or self._text("SocketAcceptAddress")
            return host, self._port("SocketAcceptPort", 0), ()
        host = self._needed("SocketConnectHost", "the peer's address")
        self._needed("SocketConnectPort", "the peer's port")
        port = self._port("SocketConnectPort", 1)
        more: list[tuple[str, int]] = []
        while self._peek(f"SocketConnectHost{len(more) + 1}") and self._peek(
            f"SocketConnectPort{len(more) + 1}"
        ):
            number = len(more) + 1
            next_host = self._needed(f"SocketConnectHost{number}", "another address")
            more.append((next_host, self._port(f"SocketConnectPort{number}", 1)))
        for name in ("SOCKETCONNECTHOST", "SOCKETCONNECTPORT"):
            for upper in self._numbered(name):
                if upper not in self._asked:
                    self._without_effect(
                        upper, "hosts count from 1 without a hole, each with a port"
                    )
        return host, port, tuple(more)

    def _without_choice(self, role: Role) -> None:
        """Keys that ask for what fixlab does anyway; another value has no effect."""
        habits = PROFILES.get(self._profile, SPEC)
        ignores = RESEND_REQUEST not in habits.acts_on_repeats
        by_profile = "the profile decides"
        for key, (does, why_not) in {
            **SETTLED,
            "IgnorePossDupResendRequests": (ignores, by_profile),  # SEQ-14
            "PreserveMessageFieldsOrder": (not habits.sorted_fields, by_profile),
        }.items():
            if self._flag(key) not in (None, does):
                self._without_effect(key, why_not)
        encoding = self._text("Encoding")
        if encoding is not None and re.sub("[-_ :]", "", encoding.lower()) not in _LATIN_1:
            self._without_effect("Encoding", "messages are bytes of ISO-8859-1")
        key = "SocketConnectProtocol" if role is Role.INITIATOR else "SocketAcceptProtocol"
        if (self._text(key) or "TCP").upper() != "TCP":
            self._without_effect(key, "a live session runs over TCP; see Loopback")

    def _tls(self, role: Role) -> CfgTls | None:
        side = "Client" if role is Role.INITIATOR else "Server"
        certificate = self._file(f"{side}CertificateFile") or self._file("SSLCertificate")
        key = self._file(f"{side}CertificateKeyFile")
        authorities = (
            self._file("CertificationAuthoritiesFile")
            or self._file("CertificationAuthoritiesDirectory")
            or self._file("SSLCACertificate")
        )
        enabled = self._flag("SocketUseSSL")
        if enabled is None:
            enabled = self._flag("SSLEnable")
        if enabled is None:
            # The C++ engine has no switch: its program chooses, and then it needs these.
            enabled = certificate is not None or authorities is not None
        level = self._whole("CertificateVerifyLevel")
        verify = self._flag("SSLValidateCertificates")
        need = self._flag("NeedClientAuth")
        if need is None:
            need = self._flag("SSLRequireClientCertificate")
        name = self._text("SSLServerName")
        if name is None and self._flag("UseSNI") is not False:
            name = self._text("SNIHostName")
        protocols = [self._text(spelling) or "" for spelling in _TLS_PROTOCOLS]
        password = self._text("SSLCertificatePassword")
        if not enabled:
            for without in _TLS_KEYS:
                self._without_effect(without, "TLS is off")
            return None
        others = _TLS_OF_INITIATOR if role is Role.ACCEPTOR else _TLS_OF_ACCEPTOR
        for without in others:
            self._without_effect(without, f"of no use to an {role.value}")
        for without in _TLS_PROTOCOLS:
            self._without_effect(without, "TLS 1.2 and later are taken")
        if verify is not None:
            self._without_effect("CertificateVerifyLevel", "SSLValidateCertificates decides")
        return CfgTls(
            certificate=certificate,
            private_key=key,
            password=password,
            authorities=authorities,
            verify=level != 0 if verify is None else verify,
            client_certificate=need if role is Role.ACCEPTOR else None,
            server_name=name if role is Role.INITIATOR else None,
            protocols=tuple(re.findall(r"[^,;\s]+", " ".join(protocols))),
        )

    # Values of keys -----------------------------------------------------------------------

    def _setting(self, key: str) -> Setting | None:
        return self._found.get(key.upper())

    def _peek(self, key: str) -> str | None:
        """Text of a key that has no effect of its own."""
        setting = self._found.get(key.upper())
        return setting.value or None if setting else None

    def _text(self, key: str) -> str | None:
        """Text of a key; None when it is absent or empty."""
        self._asked.add(key.upper())
        return self._peek(key)

    def _needed(self, key: str, expected: str) -> str:
        text = self._text(key)
        if text is None:
            raise ConfigError(f"{self._where}: {key} is missing; expected {expected}")
        return text

    def _flag(self, key: str) -> bool | None:
        text = self._text(key)
        if text is not None and text.upper() in ("Y", "N"):
            return text.upper() == "Y"
        if key.upper() in self._found:
            raise self._wrong(key, "Y or N")
        return None

    def _whole(self, key: str, least: int = 0) -> int | None:
        text = self._text(key)
        if text is not None and _WHOLE.fullmatch(text) and int(text) >= least:
            return int(text)
        if key.upper() in self._found:
            raise self._wrong(key, f"a whole number from {least}")
        return None

    def _number(self, key: str) -> float | None:
        text = self._text(key)
        if text is not None and _NUMBER.fullmatch(text):
            return float(text)
        if key.upper() in self._found:
            raise self._wrong(key, "a number such as 10 or 0.5")
        return None

    def _port(self, key: str, least: int) -> int:
        port = self._whole(key, least)
        if port is None or port > 65_535:
            raise self._wrong(key, f"a port from {least} to 65535")
        return port

    def _tags(self, key: str, text: str) -> tuple[int, ...]:
        words = re.findall(r"[^,;\s]+", text)
        if not all(_WHOLE.fullmatch(word) and int(word) for word in words):
            raise self._wrong(key, "tags such as 1402,554")
        return tuple(int(word) for word in words)

    def _numbered(self, name: str) -> list[str]:
        """Upper-case keys `name`, `name`1, `name`2 and so on, in the order of their numbers."""
        found = []
        for upper in self._found:
            suffix = upper.removeprefix(name)
            if upper == name or (suffix != upper and _WHOLE.fullmatch(suffix)):
                found.append((int(suffix) if upper != name else -1, upper))
        return [upper for _, upper in sorted(found)]

    def _existing(self, text: str) -> Path | None:
        """A path of the folder of the `.cfg` file, else of the working directory.

        QuickFIX knows the working directory only; but a file and what it names mostly stand
        side by side, and a notebook's working directory is elsewhere.
        """
        for path in (self._path.parent / text, Path(text)):
            try:
                if path.exists():
                    return path
            except (OSError, ValueError):  # too long for a path, or a NUL in it
                return None
        return None

    def _file(self, key: str) -> Path | None:
        text = self._text(key)
        return None if text is None else self._existing(text) or Path(text)

    def _path_as_written(self, key: str) -> Path | None:
        """A folder as QuickFIX takes it: a relative one belongs to the working directory.

        Two readings of where a store lies would be two stores, and numbers used twice.
        """
        text = self._text(key)
        return None if text is None else Path(text)

    # Results ------------------------------------------------------------------------------

    def _set(self, name: str, value: object, key: str) -> None:
        """Give the setting `name` a value, unless the key is absent and its default holds."""
        setting = self._found.get(key.upper())
        if setting is not None and value is not None:
            self._settings[name] = value
            self._sources[name] = (setting,)

    def _without_effect(self, key: str, reason: str) -> None:
        self._notes[key.upper()] = reason

    def _wrong(self, key: str, expected: str) -> ConfigError:
        setting = self._found[key.upper()]
        found = "" if _SECRET_KEY.search(key.upper()) else f"found {shown(setting.value)!r}, "
        return ConfigError(f"{self._where}, {place(setting)}: {found}expected {expected}")

    def _ignored(self, role: Role) -> list[str]:
        """A line for each key without effect: known to an engine, or unknown."""
        lines = []
        for upper, setting in self._found.items():
            if upper in self._notes:
                word = f"known, without effect here: {self._notes[upper]}"
            elif upper in self._asked:
                continue
            elif is_read(upper):
                word = f"known, without effect here: of no use to an {role.value}"
            elif (reason := reason_of(upper)) is not None:
                word = f"known, not applied: {reason}"
            else:
                word = "unknown"
            lines.append(f"{shown(setting.key)} (line {setting.line}): {word}")
        return lines


def _keys_in(message: str, sources: Mapping[str, tuple[Setting, ...]]) -> str:
    """The places of the keys whose settings `message` names."""
    settings = [
        setting
        for name, found in sources.items()
        if re.search(rf"\b{name}\b", message)
        for setting in found
    ]
    return "".join(f", {place(setting)}" for setting in settings)
