"""Scope: what `$names` stand for while a case is played, and where its numbers really are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fixlab import times
from fixlab.conformance.matching import shown
from fixlab.conformance.notation import Condition, Matcher, Pattern
from fixlab.conformance.profile import Profile
from fixlab.conformance.targets import Identity
from fixlab.errors import ConfigError
from fixlab.session.config import BEGIN_STRINGS
from fixlab.session.transitions import Role

_EXPRESSION = re.compile(r"\$([a-z]+[0-9]?)([+-][0-9]+)?")
_ORDER = re.compile(r"\$order([2-9])?(?:\(([0-9]+)=([^()]*)\))?")
_BEFORE_4_2 = BEGIN_STRINGS[:2]
_BEFORE_4_3 = BEGIN_STRINGS[:3]
_OLD_INFINITY = "999999"
_OPEN_ENDS = ("0", _OLD_INFINITY)  # of EndSeqNo(16): "to the end" is no number
_LATE_REASONS = frozenset({"13", "14", "15", "16", "17"})  # SessionRejectReason from 4.3 on
# Whose numbers a tag speaks of, in a message of either side: the sender's own, or its peer's.
_OWN_NUMBERS = frozenset({34, 36})
_PEER_NUMBERS = frozenset({7, 16, 45, 789})
_BEYOND_SECONDS = 80  # of the tolerance of SendingTime(52): case 2o sends one as late as this
_NUMBER = re.compile("[0-9]{1,18}")


class NoNumberError(Exception):
    """The counterparty said something else where a script counts on."""


def to_int(text: str | None) -> int | None:
    """A number of at most 18 digits, or None: whatever else a counterparty may write."""
    return int(text) if text is not None and _NUMBER.fullmatch(text) else None


@dataclass(slots=True)
class Scope:
    """The values of one case. Numbers of a script count from 1; `shift_*` says from where."""

    ref: str
    begin_string: str
    role: Role  # of the system under test
    identity: Identity
    profile: Profile
    began: int  # ns
    shift_out: int = 0  # the runner's number 1 is really number 1 + shift_out
    shift_in: int = 0  # the same of the system under test
    next_out: int = 1  # the runner's next number, counted from 1
    next_in: int = 1  # the next one of the system under test
    adopts: bool = False  # the first Logon that comes may have a higher number than known
    values: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)  # what the counterparty said, verbatim

    def __post_init__(self) -> None:
        profile = self.profile
        others = [version for version in BEGIN_STRINGS[::-1] if version != self.begin_string]
        obo, dlv = profile.addressing or ("", "")
        self.values |= {
            "hb": str(profile.heartbeat_seconds),
            "bs": self.begin_string,
            "otherbs": next(one for one in others if one.startswith("FIX.")),
            "me": self.identity.runner,
            "you": self.identity.target,
            "role": "I" if self.role is Role.INITIATOR else "A",
            "unsupported": profile.unsupported_type,
            "ver": profile.default_appl_ver_id,
            "obo": obo,
            "dlv": dlv,
            "expected": "1",
        }

    # Expressions -------------------------------------------------------------------------

    def value(self, text: str, now: int) -> str:
        """What `text` stands for: `$name`, `$name+1`, `$now-5`, or itself.

        Raises `ConfigError` for a name that nothing has set, and `NoNumberError` where the
        counterparty has set it to what cannot be counted with.
        """
        found = _EXPRESSION.fullmatch(text)
        if found is None:
            return text
        name, amount = found[1], int(found[2] or 0)
        if name == "now":
            return self.timestamp(now + times.seconds(amount))
        if name == "old":
            late = self.profile.sending_time_tolerance_seconds + _BEYOND_SECONDS
            return self.timestamp(now - times.seconds(late))
        known = self._named(name)
        if not found[2]:
            return known
        number = to_int(known)
        if number is None:
            raise NoNumberError(f"${name} is {shown(0, known)!r}, expected a number")
        return str(number + amount)

    def _named(self, name: str) -> str:
        if name == "nextout":
            return str(self.next_out)
        if name == "nextin":
            return str(self.next_in)
        if re.fullmatch(r"id[2-9]?", name):
            return self.order_id(name[2:])
        if name in self.kept:
            return self.kept[name]
        if name not in self.values:
            raise ConfigError(f"case {self.ref}: nothing has set ${name}")
        return self.values[name]

    def order_id(self, which: str) -> str:
        """ClOrdID of `$order`, or of `$order2`; unlike those of other cases and runs."""
        stamp = self.began // 1_000_000 % 10**8
        return f"{self.ref.replace('/', '-')}-{stamp}-{which or 1}"

    def timestamp(self, time: int) -> str:
        """A UTCTimestamp in the version's precision (HDR-05)."""
        digits = 0 if self.begin_string in _BEFORE_4_2 else 3
        return times.format_utc(time, digits).decode()

    def holds(self, condition: Condition, now: int, states: Mapping[str, bool]) -> bool:
        """Whether a line is to be played."""
        if condition.left in states:
            return states[condition.left] is (condition.operator == "is")
        left, right = (self.value(one, now) for one in (condition.left, condition.right))
        if condition.operator in "<>":
            low, high = to_int(left), to_int(right)
            if low is None or high is None:
                return False
            return low < high if condition.operator == "<" else low > high
        return (left == right) is (condition.operator == "==")

    # Messages ----------------------------------------------------------------------------

    def body(self, macro: str, now: int) -> list[tuple[int, str]]:
        """Fields of `$body`, `$order`, `$order2`, or `$order(38=abc)`."""
        if macro == "$body":
            return self._split(self.profile.unsupported_body, "", now)
        found = _ORDER.fullmatch(macro)
        assert found is not None, "the notation was parsed"
        fields = self._split(self.profile.order or self._usual_order(), found[1] or "", now)
        if found[2]:
            changed = (int(found[2]), found[3])
            fields = [changed if tag == changed[0] else (tag, v) for tag, v in fields]
            if changed not in fields:
                fields.append(changed)
        return fields

    def _usual_order(self) -> str:
        """A market order: what the dictionary of the version asks of one."""
        order = "11=$id|21=3|40=1|54=1|55=INTC|38=100"
        if self.begin_string == "FIX.4.3":
            order += "|460=5"  # Product came as a required field, and went again
        return order if self.begin_string in _BEFORE_4_2 else f"{order}|60=$now"

    def _split(self, text: str, which: str, now: int) -> list[tuple[int, str]]:
        fields = []
        for part in text.split("|"):
            tag, _, value = part.partition("=")
            value = self.order_id(which) if value == "$id" else self.value(value, now)
            fields.append((int(tag), value))
        return fields

    # Numbers -----------------------------------------------------------------------------

    def shifted_out(self, tag: int, value: str) -> str:
        """A number that the runner writes, as it really is."""
        if tag == 16 and value == "0" and self.begin_string in _BEFORE_4_2:
            return _OLD_INFINITY  # RRQ-02: how these versions write "to the end"
        return self._shifted(tag, value, self.shift_out, self.shift_in)

    def shifted_in(self, tag: int, value: str) -> str:
        """A number that the system under test should write, as it really is."""
        return self._shifted(tag, value, self.shift_in, self.shift_out)

    def _shifted(self, tag: int, value: str, own: int, peer: int) -> str:
        shift = own if tag in _OWN_NUMBERS else peer if tag in _PEER_NUMBERS else 0
        number = to_int(value)
        if not shift or number is None or (tag == 16 and value in _OPEN_ENDS):
            return value
        return str(number + shift)

    def reset(self) -> None:
        """A Logon with 141=Y: from here on numbers are what the script says."""
        self.shift_out = self.shift_in = 0

    # Patterns ----------------------------------------------------------------------------

    def pattern(self, pattern: Pattern, now: int) -> Pattern:
        """The pattern as it is for this version, its values and numbers filled in."""
        filled = [self._matcher(one, now) for one in pattern]
        return tuple([one for one in self._for_version(filled) if one is not None])

    def _matcher(self, one: Matcher, now: int) -> Matcher:
        if one.values == ("$app",):
            return Matcher(one.tag, one.kind, self.profile.app_types)
        return Matcher(
            one.tag,
            one.kind,
            tuple([self.shifted_in(one.tag, self.value(value, now)) for value in one.values]),
            one.tolerated,
        )

    def _for_version(self, pattern: list[Matcher]) -> list[Matcher]:
        """Old versions: no codes in a Reject, no BusinessMessageReject (REJ-01)."""
        business = any(one.tag == 35 and one.values == ("j",) for one in pattern)
        kept = []
        for one in pattern:
            if self.begin_string in _BEFORE_4_2:
                if one.tag in (371, 372, 373, 380):
                    continue
                if one.tag == 35 and business:
                    one = Matcher(35, "=", ("3",))
            elif self.begin_string in _BEFORE_4_3 and one.tag == 373:
                late = _LATE_REASONS.issuperset(one.values)
                if late:
                    continue
            kept.append(one)
        return kept
