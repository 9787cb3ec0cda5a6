"""Message against Dictionary: the first rule that it breaks, or None.

The checks run in the order of QuickFIX: syntax, order of the sections, MsgType, required
fields; then the fields of header, trailer and body one by one: repeated, empty, format, listed
values, known at all, of this message, groups. What depends on several fields comes last.

What a list of tags says is worked out once: a message whose tags passed before needs only its
values looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from fixlab import facts
from fixlab.dictionary.checks import Checks
from fixlab.dictionary.definitions import Block, GroupDef, MessageDef
from fixlab.dictionary.dictionary import Dictionary
from fixlab.dictionary.formats import DATA, MULTIPLE, Check, format_check
from fixlab.wire.fields import Field, split_fields
from fixlab.wire.message import Message
from fixlab.wire.tags import (
    ADMIN_TYPES,
    APPL_EXT_ID,
    APPL_VER_ID,
    BEGIN_STRING,
    CSTM_APPL_VER_ID,
    DEFAULT_APPL_VER_ID,
    HEADER_TAGS,
    MSG_TYPE,
    TRAILER_TAGS,
)

# SessionRejectReason(373) in words; Text(58) starts with them.
REASONS: Final = {
    0: "Invalid tag number",
    1: "Required tag missing",
    2: "Tag not defined for this message type",
    4: "Tag specified without a value",
    5: "Value is incorrect (out of range) for this tag",
    6: "Incorrect data format for value",
    11: "Invalid MsgType",
    13: "Tag appears more than once",
    14: "Tag specified out of required order",
    15: "Repeating group fields out of order",
    16: "Incorrect NumInGroup count for repeating group",
    18: "Invalid or unsupported application version",
}
UNSUPPORTED_TYPE: Final = 3  # BusinessRejectReason(380), HDR-07
CONDITIONALLY_REQUIRED: Final = 5  # REJ-16

_EXEC_INST = 18
_APPL_VERSIONS = (APPL_VER_ID, DEFAULT_APPL_VER_ID)
_USER_TAG_MIN = 5000
# From here on the specification's own tags go on, so a dictionary that lists them knows better.
_USER_TAG_END = 40_000
_APPL_TAGS = (APPL_VER_ID, CSTM_APPL_VER_ID, APPL_EXT_ID)
_MESSAGE_ENCODING = 347
_ENCODED_ATTACHMENT = 2112  # whatever its name says, it is a file and no text
_NO_BUSINESS_REJECT = ("FIX.4.0", "FIX.4.1")
# ExecInst(18) held several values there already, though nothing but its text said so.
_CHAR_IS_STRING = ("FIX.4.0", "FIX.4.1")
_UNSUPPORTED_TEXT = "Unsupported Message Type"
_PLANNED_TAGS_MAX = 200_000  # a peer may make up any list of tags: bounds what is kept


class Violation(NamedTuple):
    """The first rule that a message breaks, and how it is to be answered.

    With `business_reason` the answer is a BusinessMessageReject(j), otherwise a Reject(3).
    Reasons are those that the version knows (REJ-03); both are None where it has no code, and
    then `text` alone says what is wrong. No value is quoted, since it may be a secret.
    """

    rule: str
    reason: int | None  # SessionRejectReason(373)
    business_reason: int | None  # BusinessRejectReason(380)
    ref_tag: int | None  # RefTagID(371)
    text: str  # Text(58)
    count_tag: int | None = None  # REJ-13: what counts the entries of the group


class _Condition(NamedTuple):
    """When `tag` has one of `values`, one of `needed` must be there (REJ-16)."""

    tag: int
    values: frozenset[bytes]
    needed: tuple[int, ...]


# REJ-16: what the texts of all versions ask of an order and its replacement. A version that
# has none of the needed fields asks nothing.
_ORDER_CONDITIONS = (
    _Condition(40, frozenset({b"2", b"4"}), (44,)),  # limit, stop limit: Price
    _Condition(40, frozenset({b"3", b"4"}), (99,)),  # stop, stop limit: StopPx
    _Condition(59, frozenset({b"6"}), (126, 432)),  # good till date: ExpireTime or ExpireDate
)
_CONDITIONS: Mapping[str, tuple[_Condition, ...]] = {
    "D": _ORDER_CONDITIONS,
    "G": _ORDER_CONDITIONS,
}


def session_reject_reason(code: int, version: str) -> int | None:
    """SessionRejectReason(373) for `code`, as far as the version has it (REJ-03)."""
    if version in ("FIX.4.0", "FIX.4.1"):
        return None
    if version in ("FIX.4.2", "FIX.4.3"):
        return code if code <= (11 if version == "FIX.4.2" else 17) else None
    if version == "FIX.4.4" and code > 17:
        return 99
    return code


_DEFAULT_CHECKS = Checks()


def validate(
    message: Message, dictionary: Dictionary, checks: Checks = _DEFAULT_CHECKS
) -> Violation | None:
    """The first rule that `message` breaks, or None when it breaks none (REJ-22).

    A message that is still to be sent has no header yet, so none is asked for. Under FIXT.1.1
    an ApplVerID(1128) chooses among the application dictionaries.
    """
    if dictionary.applications:
        code = message.get(APPL_VER_ID)
        if code is not None:  # HDR-12: one that is not supported is found on the way
            dictionary = dictionary.applications.get(code, dictionary)
    return _validator(dictionary, checks).validate(message)


_Plan = tuple[tuple[int, Check], ...]  # index of a field, and what its value must pass
_Placed = tuple[int, int, bytes]  # index in the message, tag, value


def _validator(dictionary: Dictionary, checks: Checks) -> _Validator:
    # A session asks with the same switches every time: that spares it their hash.
    latest = dictionary._latest_validator
    if isinstance(latest, _Validator) and latest.checks is checks:
        return latest
    validator = dictionary._validators.get(checks)
    if not isinstance(validator, _Validator):
        validator = dictionary._validators[checks] = _Validator(dictionary, checks)
    dictionary._latest_validator = validator
    return validator


class _BrokenRuleError(Exception):
    """Carries a violation out of the nested groups in which it was found."""

    def __init__(self, violation: Violation) -> None:
        self.violation = violation


class _Validator:
    """One dictionary under one choice of switches, and what is known of lists of tags."""

    def __init__(self, dictionary: Dictionary, checks: Checks) -> None:
        self.dictionary = dictionary
        self.checks = checks
        self.header_tags = HEADER_TAGS | _all_tags(dictionary.header)
        self.trailer_tags = TRAILER_TAGS | _all_tags(dictionary.trailer)
        self._value_checks: dict[int, tuple[Check | None, Check | None]] = {}
        self._body_tags: dict[str, frozenset[int]] = {}
        self._quick: dict[int, tuple[Check, ...]] = {}
        self._plans: dict[tuple[str, tuple[int, ...]], _Plan] = {}
        self._planned_tags = 0  # tags in the keys of all plans

    def validate(self, message: Message) -> Violation | None:
        fields = message.fields
        # Fields with a fault in their syntax take the long way: a plan is for well-formed ones.
        sound = message.defect is None
        tags, values = zip(*fields, strict=True) if fields else ((), ())
        key = (message.msg_type, tags)
        if sound and (plan := self._plans.get(key)) is not None:
            for index, check in plan:
                if not check(values[index]):
                    break
            else:
                return None
        inspection = _Inspection(self, message)
        try:
            inspection.run(message)
        except _BrokenRuleError as broken:
            return broken.violation
        # A type that is not defined may be any text, and as long as a message.
        if sound and message.msg_type in self.dictionary.messages:
            self._keep(key, self._plan(inspection))
        return None

    def _keep(self, key: tuple[str, tuple[int, ...]], plan: _Plan) -> None:
        if key not in self._plans:
            self._planned_tags += len(key[1])
        if self._planned_tags > _PLANNED_TAGS_MAX:
            self._plans.clear()
            self._planned_tags = len(key[1])
        self._plans[key] = plan

    def _plan(self, inspection: _Inspection) -> _Plan:
        """What of a message that passed depends on its values."""
        plan: list[tuple[int, Check]] = []
        for index, (tag, value) in enumerate(inspection.fields):
            if tag == BEGIN_STRING or (tag == APPL_VER_ID and self.dictionary.applications):
                plan.append((index, frozenset({value}).__contains__))
                continue
            plan += [(index, check) for check in self._quick_checks(tag)]
        for index, entries in inspection.counts:
            plan.append((index, frozenset({b"%d" % entries}).__contains__))
        for index, forbidden in inspection.forbidden:
            plan.append((index, _none_of(forbidden)))
        return tuple(plan)

    def _quick_checks(self, tag: int) -> tuple[Check, ...]:
        """The same as `value_checks`, in one look where a list of values allows it."""
        known = self._quick.get(tag)
        if known is None:
            form, listed = self.value_checks(tag)
            known = tuple(check for check in (form, listed) if check is not None)
            if form is not None and listed is not None and not self._holds_many(tag):
                values = self.dictionary.fields[tag].values
                allowed = [v for v in (v.encode("latin-1") for v in values) if form(v)]
                known = (frozenset(allowed).__contains__,)
            if tag in self.dictionary.fields:  # a peer may make up any tag
                self._quick[tag] = known
        return known

    def _holds_many(self, tag: int) -> bool:
        version = self.dictionary.version
        return self.dictionary.fields[tag].type in MULTIPLE or (
            tag == _EXEC_INST and version in _CHAR_IS_STRING
        )

    def body_tags(self, definition: MessageDef | None) -> frozenset[int]:
        """All tags that a body of this type may hold, in groups or not."""
        if definition is None:
            return frozenset()
        tags = self._body_tags.get(definition.msg_type)
        if tags is None:
            tags = self._body_tags[definition.msg_type] = _all_tags(definition)
        return tags

    def value_checks(self, tag: int) -> tuple[Check | None, Check | None]:
        """What the format and the list of values of `tag` ask; None asks nothing."""
        known = self._value_checks.get(tag)
        if known is not None:
            return known
        definition = self.dictionary.fields.get(tag)
        if definition is None:
            return None, None
        version = self.dictionary.version
        found: tuple[Check | None, Check | None] = format_check(definition.type, version), None
        listed = (
            definition.values
            and not definition.other_values
            and not self.checks.allow_unknown_enum_values
            and definition.type not in DATA
            # HDR-06 looks at MsgType, and with more than the list.
            and tag != MSG_TYPE
        )
        if listed:
            known_values = frozenset(v.encode("latin-1") for v in definition.values)
            many = self._holds_many(tag)
            found = found[0], _each_of(known_values) if many else known_values.__contains__
        self._value_checks[tag] = found
        return found


class _Inspection:
    """The long way through one message: each check in its order, and why it fails."""

    def __init__(self, validator: _Validator, message: Message) -> None:
        self._validator = validator
        self._checks = validator.checks
        self._dictionary = dictionary = validator.dictionary
        self._from_wire = message.raw is not None
        self._type = message.msg_type
        self._definition = dictionary.messages.get(self._type)
        self.fields: tuple[Field, ...] = message.fields
        self.counts: list[tuple[int, int]] = []  # index of a count field, entries that follow
        # Index of a field, and the values with which the message would lack another field.
        self.forbidden: list[tuple[int, frozenset[bytes]]] = []

    def run(self, message: Message) -> None:
        """Raise `_BrokenRuleError` for the first rule that the message breaks."""
        self._check_version()
        self._check_syntax(message)
        header, body, trailer = self._sections()
        self._check_type()
        if self._checks.required_fields:
            if self._from_wire:
                self._check_required(self._dictionary.header, header)
                self._check_required(self._dictionary.trailer, trailer)
            if self._definition is not None:
                self._check_required(self._definition, body)
        self._walk(header, self._dictionary.header)
        self._check_appl_fields(header)
        self._walk(trailer, self._dictionary.trailer)
        if self._definition is not None:
            self._walk(body, self._definition)
        else:
            self._check_unknown_body(body)
        if self._checks.message_encoding:
            self._check_encoding()
        if self._checks.conditional_fields and self._definition is not None:
            self._check_conditions(body, self._definition)

    # The message as a whole ----------------------------------------------------------

    def _check_version(self) -> None:
        if self._from_wire and self.fields and self.fields[0][0] == BEGIN_STRING:
            version = self._dictionary.version
            if self.fields[0][1] != version.encode("latin-1"):
                raise _BrokenRuleError(
                    Violation(
                        "HDR-01",
                        None,
                        None,
                        BEGIN_STRING,
                        f"Incorrect BeginString: the dictionary is for {version}",
                    )
                )

    def _check_syntax(self, message: Message) -> None:
        """FRM-11, FRM-12 (REJ-14), DAT-01, DAT-03; empty values have their turn later."""
        defect = message.defect
        if defect is not None and defect.rule == "REJ-07" and message.raw is not None:
            _, defect = split_fields(message.raw, empty_ok=True)
        if defect is not None and defect.rule != "REJ-07":
            reason = session_reject_reason(defect.reason, self._dictionary.version)
            raise _BrokenRuleError(
                Violation(defect.rule, reason, None, defect.tag or None, defect.text)
            )

    def _sections(self) -> tuple[list[_Placed], list[_Placed], list[_Placed]]:
        """Fields of header, body and trailer; FRM-14 wants them in that order (REJ-10)."""
        header: list[_Placed] = []
        body: list[_Placed] = []
        trailer: list[_Placed] = []
        # A dictionary may put a tag of the header into a body; there it belongs to the body.
        also_body = self._validator.body_tags(self._definition)
        for index, (tag, value) in enumerate(self.fields):
            if tag in self._validator.header_tags and not (body and tag in also_body):
                late, section = body or trailer, header
            elif tag in self._validator.trailer_tags and tag not in also_body:
                late, section = [], trailer
            else:
                late, section = trailer, body
            if late and self._checks.fields_out_of_order and self._from_wire:
                self._fail("REJ-10", 14, tag)
            section.append((index, tag, value))
        return header, body, trailer

    def _check_type(self) -> None:
        msg_type, dictionary = self._type, self._dictionary
        if self._definition is not None:
            return
        if not msg_type:
            self._fail("REJ-07", 4, MSG_TYPE)
        if msg_type in ADMIN_TYPES or msg_type.startswith("U"):
            return  # HDR-06: user-defined, or the session's own; nothing is known of its body
        version = dictionary.version
        if version == "FIXT.1.1" and not dictionary.applications:
            return  # without an application dictionary its types cannot be known
        if version in facts.VERSIONS and facts.is_defined_type(msg_type, version):
            if version in _NO_BUSINESS_REJECT:
                raise _BrokenRuleError(
                    Violation("HDR-07", None, None, MSG_TYPE, _UNSUPPORTED_TEXT)
                )
            raise _BrokenRuleError(
                Violation("HDR-07", None, UNSUPPORTED_TYPE, MSG_TYPE, _UNSUPPORTED_TEXT)
            )
        self._fail("HDR-06", 11, MSG_TYPE, "")

    def _check_required(self, block: Block, fields: list[_Placed]) -> None:
        missing = block.required.difference([tag for _, tag, _ in fields])
        if missing:
            self._fail("REJ-05", 1, min(missing))

    def _check_appl_fields(self, header: list[_Placed]) -> None:
        if self._dictionary.version != "FIXT.1.1":
            return  # elsewhere they are strangers in the header
        definition = self._definition
        admin = self._type in ADMIN_TYPES or (definition is not None and definition.admin)
        for _, tag, value in header:
            if admin and tag in _APPL_TAGS:
                self._fail("HDR-12", 2, tag)
            applications = self._dictionary.applications
            if (
                tag == APPL_VER_ID
                and applications
                and value.decode("latin-1") not in applications
            ):
                self._fail("HDR-12", 18, tag)

    def _check_encoding(self) -> None:
        if _MESSAGE_ENCODING not in self._dictionary.header.places or not self._from_wire:
            return
        if any(tag == _MESSAGE_ENCODING for tag, _ in self.fields):
            return
        for tag, _ in self.fields:
            definition = self._dictionary.fields.get(tag)
            if (
                definition is not None
                and definition.type in DATA
                and definition.name.startswith("Encoded")
                and tag != _ENCODED_ATTACHMENT
            ):
                self._fail("FRM-15", 1, _MESSAGE_ENCODING, f"needed for {self._name(tag)}")

    def _check_conditions(self, body: list[_Placed], definition: MessageDef) -> None:
        tags = {tag for _, tag, _ in body}
        for condition in _CONDITIONS.get(self._type, ()):
            needed = [tag for tag in condition.needed if tag in definition.places]
            if not needed or not tags.isdisjoint(needed):
                continue
            for index, tag, value in body:
                if tag != condition.tag:
                    continue
                if value in condition.values:
                    self._lacks(needed[0], tag)
                self.forbidden.append((index, condition.values))

    def _lacks(self, needed: int, because: int) -> None:
        text = (
            f"Conditionally required field missing: {self._name(needed)}, which this "
            f"{self._name(because)} asks for"
        )
        business = None
        if self._dictionary.version not in _NO_BUSINESS_REJECT:
            business = CONDITIONALLY_REQUIRED
        raise _BrokenRuleError(Violation("REJ-16", None, business, needed, text))

    # Field by field ------------------------------------------------------------------

    def _walk(self, fields: list[_Placed], block: Block) -> None:
        """All fields of one section."""
        seen: set[int] = set()
        place = 0
        while place < len(fields):
            index, tag, value = fields[place]
            place += 1
            if tag not in block.places and self._is_unchecked(tag):
                self._check_value(tag, value)
                continue
            if tag in seen:
                self._fail("REJ-11", 13, tag)
            seen.add(tag)
            self._check_value(tag, value)
            if tag not in block.places:
                self._refuse(tag, block, seen)
            group = block.groups.get(tag)
            if group is not None:
                place = self._group(fields, place, group, (index, value), (block,))

    def _group(
        self,
        fields: list[_Placed],
        place: int,
        group: GroupDef,
        count: tuple[int, bytes],
        outer: tuple[Block, ...],
    ) -> int:
        """The entries of a group that start at `place`; where they end."""
        index, value = count
        entries = 0
        more = True
        while (
            more and place < len(fields) and self._starts_entry(fields[place][1], group, outer)
        ):
            place, more = self._entry(fields, place, group, outer)
            entries += 1
        # REJ-12. A number of more digits than a message has fields is surely wrong.
        if not value.isdigit() or len(value) > 18 or int(value) != entries:
            self._fail("REJ-12", 16, group.count)
        self.counts.append((index, entries))
        return place

    def _starts_entry(self, tag: int, group: GroupDef, outer: tuple[Block, ...]) -> bool:
        if tag not in group.places:
            return False
        if tag == group.delimiter or self._checks.first_field_is_delimiter:
            return True
        if any(tag in block.places for block in outer):
            return False  # it stands behind the group, and belongs to what is around it
        start = f"an entry starts with {self._name(group.delimiter)}"
        self._fail("REJ-13", 15, tag, start, count_tag=group.count)
        return False

    def _entry(
        self, fields: list[_Placed], place: int, group: GroupDef, outer: tuple[Block, ...]
    ) -> tuple[int, bool]:
        """One entry; where it ends, and whether another may follow."""
        delimiter = fields[place][1]
        seen: set[int] = set()
        last = -1
        more = False
        while place < len(fields):
            index, tag, value = fields[place]
            if tag == delimiter and seen:
                more = True
                break
            position = group.places.get(tag)
            if position is None:
                if any(tag in block.places for block in outer) or not self._is_unchecked(tag):
                    break
                self._check_value(tag, value)
                place += 1
                continue
            disordered = position < last and not (
                self._checks.allow_unordered_groups
                or self._checks.first_field_is_delimiter
                or tag in group.loose
            )
            if disordered or tag in seen:
                if any(tag in block.places for block in outer):
                    break
                if tag in seen:
                    self._fail("REJ-11", 13, tag)
                self._fail("REJ-13", 15, tag, count_tag=group.count)
            seen.add(tag)
            last = max(last, position)
            self._check_value(tag, value)
            place += 1
            nested = group.groups.get(tag)
            if nested is not None:
                place = self._group(fields, place, nested, (index, value), (*outer, group))
        if self._checks.required_fields and not group.required <= seen:
            self._fail("REJ-05", 1, min(group.required - seen), f"in {self._name(group.count)}")
        return place, more

    def _check_value(self, tag: int, value: bytes) -> None:
        if not value:
            if self._checks.fields_have_values:
                self._fail("REJ-07", 4, tag)
            return
        form, listed = self._validator.value_checks(tag)
        if form is not None and not form(value):
            self._fail("REJ-09", 6, tag)
        if listed is not None and not listed(value):
            self._fail("REJ-08", 18 if tag in _APPL_VERSIONS else 5, tag)

    def _check_unknown_body(self, body: list[_Placed]) -> None:
        if self._checks.fields_have_values:
            for _, tag, value in body:
                if not value:
                    self._fail("REJ-07", 4, tag)

    def _is_unchecked(self, tag: int) -> bool:
        """Whether `tag` may stand where the dictionary does not have it."""
        known = tag in self._dictionary.fields
        if tag >= _USER_TAG_MIN and (tag < _USER_TAG_END or not known):
            return not self._checks.user_defined_fields
        return self._checks.allow_unknown_fields

    def _refuse(self, tag: int, block: Block, seen: set[int]) -> None:
        if tag not in self._dictionary.fields:
            self._fail("REJ-04", 0, tag)
        for group in _groups_within(block):
            if group.count in seen and tag in group.places:
                outside = f"outside the entries of {self._name(group.count)}"
                self._fail("REJ-13", 15, tag, outside, count_tag=group.count)
        self._fail("REJ-06", 2, tag)

    # Words ---------------------------------------------------------------------------

    def _fail(
        self,
        rule: str,
        code: int,
        tag: int | None,
        detail: str | None = None,
        *,
        count_tag: int | None = None,
    ) -> None:
        text = REASONS[code]
        about = [self._name(tag)] if tag is not None and detail != "" else []
        if detail:
            about.append(detail)
        if about:
            text += ": " + ", ".join(about)
        reason = session_reject_reason(code, self._dictionary.version)
        raise _BrokenRuleError(Violation(rule, reason, None, tag, text, count_tag))

    def _name(self, tag: int) -> str:
        name = self._dictionary.field_name(tag)
        return f"tag {tag}" if name is None else f"{name}({tag})"


def _none_of(forbidden: frozenset[bytes]) -> Check:
    return lambda value: value not in forbidden


def _each_of(known: frozenset[bytes]) -> Check:
    return lambda value: known.issuperset(value.split(b" "))


def _all_tags(block: Block) -> frozenset[int]:
    """Tags of `block` and of the groups within it."""
    return frozenset(block.tags).union(*(group.tags for group in _groups_within(block)))


def _groups_within(block: Block) -> Iterator[GroupDef]:
    """All groups in `block` and in their entries, each once however many ways lead to it."""
    found: set[int] = set()
    waiting = list(block.groups.values())
    while waiting:
        group = waiting.pop()
        if id(group) not in found:
            found.add(id(group))
            waiting += group.groups.values()
            yield group
