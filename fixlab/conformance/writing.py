"""What the runner sends: a template becomes bytes, right ones or wrong ones as it asks."""

from __future__ import annotations

from fixlab.conformance.notation import Mutation, Template
from fixlab.conformance.scope import Scope, to_int
from fixlab.wire.message import checksum
from fixlab.wire.tags import HEADER_TAGS, TRAILER_TAGS

Fields = list[tuple[int, str]]
# The order in which the runner writes header fields, unless a template says otherwise.
_HEADER_ORDER = (35, 34, 49, 52, 56)
_PADS_MAX = 512  # fillers tried; each changes the checksum, so far fewer are needed


def write(template: Template, scope: Scope, now: int) -> bytes:
    """The wire bytes of `template`; `scope` goes on to the number behind it."""
    return _written(*_fields(template, scope, now), template.mutations, scope)


def write_fields(fields: Fields, scope: Scope, now: int) -> bytes:
    """The same of fields with ready values, in which nothing is looked up."""
    filled = _ordered(fields + _missing(fields, Template(()), scope, now))
    return _written(scope.begin_string, filled, (), scope)


def _written(
    begin_string: str, fields: Fields, mutations: tuple[Mutation, ...], scope: Scope
) -> bytes:
    if (141, "Y") in fields:
        scope.reset()
    real = [(tag, scope.shifted_out(tag, value)) for tag, value in fields]
    _count(fields, scope)
    return _framed(begin_string, real, mutations)


def _count(fields: Fields, scope: Scope) -> None:
    """Whatever uses up a new number moves the runner's next one on.

    A repeat of an old number does not; what is only flagged as a repeat does (case 2g).
    """
    first = dict(fields[::-1])
    number, new = to_int(first.get(34)), to_int(first.get(36))
    if number is None or (first.get(43) == "Y" and number != scope.next_out):
        return
    scope.next_out = new if first[35] == "4" and new is not None else number + 1


def raw_bytes(text: str, scope: Scope) -> bytes:
    """Bytes as a script writes them: bars and `<SOH>` for SOH, `$bs` for the BeginString."""
    text = text.replace("<SOH>", "\x01").replace("|", "\x01")
    return text.replace("$bs", scope.begin_string).encode("latin-1", "replace")


def _fields(template: Template, scope: Scope, now: int) -> tuple[str, Fields]:
    """All fields from 35 on in wire order, and BeginString(8)."""
    given: Fields = []
    for tag, value in template.fields:
        if tag == 0:
            given += scope.body(value, now)
        else:
            given.append((tag, scope.value(value, now) if value != "$pad" else value))
    begin_string = next((value for tag, value in given if tag == 8), scope.begin_string)
    given = [field for field in given if field[0] != 8]
    missing = _missing(given, template, scope, now)
    if any(mutation.what == "order" for mutation in template.mutations):
        # Exactly as written; what is missing of the header follows the fields it begins with.
        at = next((i for i, (tag, _) in enumerate(given) if tag not in HEADER_TAGS), len(given))
        return begin_string, given[:at] + missing + given[at:]
    return begin_string, _ordered(given + missing)


def _missing(given: Fields, template: Template, scope: Scope, now: int) -> Fields:
    """What the runner fills in: header fields, and in FIXT the Logon's version."""
    left_out = {int(m.how) for m in template.mutations if m.what == "no"}
    usual: Fields = [
        (34, str(scope.next_out)),
        (49, scope.identity.runner),
        (52, scope.timestamp(now)),
        (56, scope.identity.target),
    ]
    if (35, "A") in given:
        usual += scope.profile.logon_fields
        if scope.profile.next_expected and scope.begin_string in ("FIX.4.4", "FIXT.1.1"):
            reset = (141, "Y") in given
            usual.append((789, "1" if reset else str(scope.next_in)))  # LGN-21
        if scope.begin_string == "FIXT.1.1":
            usual.append((1137, scope.values["ver"]))
    have = {tag for tag, _ in given} | left_out
    return [field for field in usual if field[0] not in have]


def _ordered(fields: Fields) -> Fields:
    """Header, body, trailer; within the header the usual fields first (FRM-14)."""
    header = [field for field in fields if field[0] in HEADER_TAGS]
    header.sort(
        key=lambda field: _HEADER_ORDER.index(field[0]) if field[0] in _HEADER_ORDER else 99
    )
    trailer = [field for field in fields if field[0] in TRAILER_TAGS]
    body = [f for f in fields if f[0] not in HEADER_TAGS and f[0] not in TRAILER_TAGS]
    return header + body + trailer


def _framed(begin_string: str, fields: Fields, mutations: tuple[Mutation, ...]) -> bytes:
    strip = any(one == Mutation("10", "strip0") for one in mutations)
    for pad in range(_PADS_MAX):
        # A filler of a few letters: with each step the sum of all bytes is another one.
        filler = chr(ord("a") + pad % 26) * (1 + pad // 26)
        filled = [(tag, filler if value == "$pad" else value) for tag, value in fields]
        body = "".join([f"{tag}={value}\x01" for tag, value in filled])
        content = body.encode("latin-1", "replace")
        length = len(content) + _amount(mutations, "9")
        head = b"8=%b\x019=%d\x01%b" % (begin_string.encode(), length, content)
        total = (checksum(head) + _amount(mutations, "10")) % 256
        if not strip:
            return head + b"10=%03d\x01" % total
        if total < 100:
            return head + b"10=%d\x01" % total
    raise AssertionError("some filler gives a checksum below 100")


def _amount(mutations: tuple[Mutation, ...], what: str) -> int:
    return sum(int(one.how) for one in mutations if one.what == what and one.how != "strip0")
