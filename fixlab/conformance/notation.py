"""The notation of test cases: one line of a script, parsed into a typed step.

| line | meaning |
|---|---|
| `> 35=1|34=2|112=a {10:+1}` | send; 8, 9, 10, 49, 56, 52 are filled in unless written |
| `> RAW bytes`, `> BATCH a ; b`, `> TRICKLE a` | as they are; in one write; byte by byte |
| `< 35=0|112=a 5s -> $x` | must come within 5 s (default); the value of `f=*` is kept as `$x` |
| `<~ pattern 5s` | should come; tolerated when it does not (LENIENT) |
| `<? pattern 1s` | may come (default 1.2 s) |
| `<! pattern` | must not come, at no time |
| `< NONE 1s`, `< CLOSE 5s` | nothing but idle Heartbeats; the end of the connection |
| `< CLOSE ack` | its end, once the time to confirm a Logout that was agreed is over |
| `< RANGE 3..6 covered 5s` | messages resent and gap fills that leave none of them out |
| `<< CONNECT 60s` | the counterparty connects |
| `! CONNECT`, `! CLOSE`, `! KEEPALIVE` | what the runner does |
| `! OPERATOR stop`, `! OPERATOR app-send 2` | what an operator does, or a hook |
| `[2] line` | on a second connection |
| `if $n > $expected: line` | only then; also `if got:`, `if not got:`, `if open:` |

In a pattern `f=v` equals, `f=*` is there, `f~v` contains, `f?=v` equals if it is there, `f!` is
not there, `f={a,b}` is one of, `f={a,~b}` is one of, the second tolerated. A time is `5s` or a
range, `2.0-4.5s`. Mutations are `{9:+n}`, `{10:+n}`, `{10:strip0}`, `{noN}` (tag N is not
filled in) and `{order:asis}` (fields stay in the written order). `# RRQ-01` at the end of a
line names the rule that a failure of this line breaks.

Values: `$now`, `$now-5` (UTC); `$hb` HeartBtInt, `$bs` and `$otherbs` BeginStrings, `$me` and
`$you` CompIDs of runner and counterparty, `$role` (`I` or `A`, the counterparty's); `$nextout`
and `$nextin`, the next numbers of runner and counterparty, `$expected`, the latter when the
connection began; `$order`, `$order2` to `$order9`, `$order(38=abc)` bodies of orders with ids
`$id`, `$id2`, ...; `$app` what answers them; `$unsupported` and `$body` a MsgType and its body;
`$pad` a filler; and whatever `->` has kept. Numbers count as if both sides began at 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from fixlab.errors import ConfigError

CLOSE_SECONDS = MUST_SECONDS = 5.0
MAY_SECONDS = 1.2
CONNECT_SECONDS = 60.0
SECONDS_MAX = 600.0  # that one line may ask to wait


class Mode(Enum):
    """What it means when a line that waits waits in vain."""

    MUST = "<"
    SHOULD = "<~"
    MAY = "<?"


@dataclass(frozen=True, slots=True)
class Matcher:
    """What a pattern asks of one field."""

    tag: int
    kind: str  # "=", "~", "?=", "!" or "*"
    values: tuple[str, ...] = ()
    tolerated: tuple[str, ...] = ()  # values that make the case LENIENT

    def __str__(self) -> str:
        if self.kind in "!*":
            return f"{self.tag}{'!' if self.kind == '!' else '=*'}"
        every = (*self.values, *(f"~{value}" for value in self.tolerated))
        value = every[0] if len(every) == 1 else f"{{{','.join(every)}}}"
        return f"{self.tag}{self.kind}{value}"


Pattern = tuple[Matcher, ...]


@dataclass(frozen=True, slots=True)
class Mutation:
    """How a message is spoiled: `{what:how}`."""

    what: str  # "9", "10", "no" or "order"
    how: str


@dataclass(frozen=True, slots=True)
class Template:
    """A message to send: fields as written, `$order` among them as tag 0."""

    fields: tuple[tuple[int, str], ...]
    mutations: tuple[Mutation, ...] = ()


@dataclass(frozen=True, slots=True)
class Send:
    """Messages in one write; or a single one byte by byte."""

    messages: tuple[Template, ...]
    trickle: bool = False


@dataclass(frozen=True, slots=True)
class SendRaw:
    """Bytes as they are, bars for SOH."""

    text: str


@dataclass(frozen=True, slots=True)
class Expect:
    """A message within a time."""

    pattern: Pattern
    mode: Mode
    earliest: float
    latest: float
    keep_tag: int = 0  # whose value is kept
    keep_as: str = ""


@dataclass(frozen=True, slots=True)
class Forbid:
    """A message that must not come."""

    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing but idle Heartbeats for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class AwaitClose:
    """The counterparty closes within a time, or once it need not wait any more (`ack`)."""

    mode: Mode
    earliest: float
    latest: float
    ack: bool = False  # within the LogoutAckThreshold that was agreed, and a little


@dataclass(frozen=True, slots=True)
class Cover:
    """Numbers that are resent or filled, none left out."""

    begin: str
    end: str
    seconds: float


@dataclass(frozen=True, slots=True)
class AwaitConnect:
    """The counterparty connects within a time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Connect:
    """The runner connects, or an initiator under test comes back."""


@dataclass(frozen=True, slots=True)
class Close:
    """The runner closes."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """From here on the runner sends Heartbeats and answers TestRequests."""


@dataclass(frozen=True, slots=True)
class Operate:
    """An operator, or a hook, does something to the system under test."""

    hook: str
    count: int


Step = (
    Send
    | SendRaw
    | Expect
    | Forbid
    | Quiet
    | AwaitClose
    | Cover
    | AwaitConnect
    | Connect
    | Close
    | KeepAlive
    | Operate
)


@dataclass(frozen=True, slots=True)
class Condition:
    """When a line is played: a comparison of two expressions, or a state."""

    left: str  # an expression, or "got" or "open"
    operator: str  # "==", "!=", "<", ">", or "is" and "is not" for a state
    right: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a script."""

    text: str  # as written, without its rule
    step: Step
    connection: int = 1
    condition: Condition | None = None
    rule: str = ""  # "" means the case's first


class _WrongError(Exception):
    """What is wrong with a line; `parse_line` says where."""


_RULE = re.compile(r"\s+#\s*([A-Z]{3}-[0-9]{2})\s*$")
_CONDITION = re.compile(r"if\s+([^:]+):\s+(.*)")
_COMPARISON = re.compile(r"(\S+)\s*(==|!=|<|>)\s*(\S+)")
_TIME = re.compile(r"(?:^|\s+)(?:([0-9]+(?:\.[0-9]+)?)-)?([0-9]+(?:\.[0-9]+)?)s$")
_KEEP = re.compile(r"\s+->\s*\$([a-z][a-z0-9]*)$")
_MUTATIONS = re.compile(r"(?:\s*\{[^{}]*\})+$")
_MUTATION = re.compile(r"\{(?:(9|10):([+-][0-9]+)|10:(strip0)|no([0-9]+)|order:(asis))\}")
_FIELD = re.compile(r"([1-9][0-9]{0,9})=(.*)", re.DOTALL)
_MACRO = re.compile(r"\$(?:order[2-9]?(?:\([0-9]+=[^()]*\))?|body)")
_MATCHER = re.compile(r"([1-9][0-9]{0,9})(?:(\?=|=|~)(.*)|(!))", re.DOTALL)
_RANGE = re.compile(r"RANGE\s+(\S+?)\.\.(\S+)\s+covered")


def parse_line(text: str, where: str) -> Line:
    """The line `text`; raises `ConfigError`, which says `where` it stands, for a bad one."""
    try:
        return _line(text)
    except _WrongError as error:
        raise ConfigError(f"{where}: {error}: {text.strip()!r}") from None


def _line(text: str) -> Line:
    rest, rule = text.strip(), ""
    if found := _RULE.search(rest):
        rest, rule = rest[: found.start()], found[1]
    shown = rest
    condition = None
    if found := _CONDITION.fullmatch(rest):
        condition, rest = _condition(found[1].strip()), found[2]
    connection = 1
    if rest.startswith("[2] "):
        connection, rest = 2, rest[4:].strip()
        if rest == "CONNECT":
            rest = "! CONNECT"
    sign, _, body = rest.partition(" ")
    parse = _BY_SIGN.get(sign)
    if parse is None:
        raise _WrongError(f"a line starts with one of {' '.join(_BY_SIGN)}, found {sign!r}")
    return Line(shown, parse(sign, body.strip()), connection, condition, rule)


def _condition(text: str) -> Condition:
    negated, state = text.startswith("not "), text.removeprefix("not ").strip()
    if state in ("got", "open"):
        return Condition(state, "is not" if negated else "is")
    found = _COMPARISON.fullmatch(text)
    if found is None:
        raise _WrongError(f"expected got, open or a comparison behind `if`, found {text!r}")
    return Condition(found[1], found[2], found[3])


def _time(body: str, default: float) -> tuple[str, float, float]:
    """`body` without the time at its end, and that time as a range."""
    found = _TIME.search(body)
    if found is None:
        return body, 0.0, default
    earliest, latest = float(found[1] or 0), float(found[2])
    if not earliest <= latest <= SECONDS_MAX:
        raise _WrongError(f"a time is at most {SECONDS_MAX:g}s, its end not before its start")
    return body[: found.start()].rstrip(), earliest, latest


# Sending --------------------------------------------------------------------------------


def _send(sign: str, body: str) -> Step:
    kind, _, rest = body.partition(" ")
    if kind == "RAW":
        return SendRaw(rest)
    if kind == "TRICKLE":
        return Send((template(rest),), trickle=True)
    if kind == "BATCH":
        return Send(tuple([template(part.strip()) for part in rest.split(" ; ")]))
    return Send((template(body),))


def template(body: str) -> Template:
    """A message to send, as written behind `>`."""
    mutations: tuple[Mutation, ...] = ()
    if found := _MUTATIONS.search(body):
        mutations = tuple([_mutation(one) for one in re.findall(r"\{[^{}]*\}", found[0])])
        body = body[: found.start()]
    fields = tuple([_sent_field(part) for part in body.strip().split("|") if part])
    if not any(tag == 35 for tag, _ in fields):
        raise _WrongError("a message to send needs 35=")
    return Template(fields, mutations)


def _mutation(text: str) -> Mutation:
    found = _MUTATION.fullmatch(text)
    if found is None:
        raise _WrongError(
            f"expected {{9:+n}}, {{10:+n}}, {{10:strip0}}, {{noN}} or {{order:asis}}, "
            f"found {text} (for a choice of numbers write two lines with `if got:`)"
        )
    counted, amount, strip, without, order = found.groups()
    if counted:
        return Mutation(counted, amount)
    if strip:
        return Mutation("10", "strip0")
    return Mutation("no", without) if without else Mutation("order", order)


def _sent_field(part: str) -> tuple[int, str]:
    if _MACRO.fullmatch(part):
        return 0, part
    found = _FIELD.fullmatch(part)
    if found is None:
        raise _WrongError(f"expected tag=value, $order or $body, found {part!r}")
    if found[2].startswith("{"):
        raise _WrongError("a choice of numbers is two lines, `if got:` and `if not got:`")
    return int(found[1]), found[2].replace("<SOH>", "\x01")


# Waiting --------------------------------------------------------------------------------


def _wait(sign: str, body: str) -> Step:
    mode = Mode(sign)
    kept = ""
    if found := _KEEP.search(body):
        body, kept = body[: found.start()], found[1]
    default = MAY_SECONDS if mode is Mode.MAY else MUST_SECONDS
    if body == "CLOSE ack":
        return AwaitClose(mode, 0.0, 0.0, ack=True)
    body, earliest, latest = _time(body, default)
    if found := _KEEP.search(body):
        body, kept = body[: found.start()], found[1]
    if body == "CLOSE":
        return AwaitClose(mode, earliest, latest)
    if mode is Mode.MUST:
        if body == "NONE":
            return Quiet(latest)
        if found := _RANGE.fullmatch(body):
            return Cover(found[1], found[2], latest)
    pattern = _pattern(body)
    present = [one.tag for one in pattern if one.kind == "*"]
    if kept and not present:
        raise _WrongError("-> keeps the value of a field written as f=*")
    return Expect(pattern, mode, earliest, latest, present[-1] if kept else 0, kept)


def _pattern(body: str) -> Pattern:
    pattern = tuple([_matcher(part) for part in body.split("|") if part])
    if not pattern:
        raise _WrongError("expected a pattern, NONE or CLOSE")
    return pattern


def _matcher(part: str) -> Matcher:
    found = _MATCHER.fullmatch(part)
    if found is None:
        raise _WrongError(f"expected f=v, f=*, f~v, f?=v, f! or f={{a,b}}, found {part!r}")
    tag, kind, value = int(found[1]), found[2], found[3]
    if found[4]:
        return Matcher(tag, "!")
    if kind == "=" and value == "*":
        return Matcher(tag, "*")
    if not (value.startswith("{") and value.endswith("}")):
        return Matcher(tag, kind, (value,))
    every = [one.strip() for one in value[1:-1].split(",")]
    return Matcher(
        tag,
        kind,
        tuple([one for one in every if not one.startswith("~")]),
        tuple([one[1:] for one in every if one.startswith("~")]),
    )


def _forbid(sign: str, body: str) -> Step:
    return Forbid(_pattern(body))


def _await_connect(sign: str, body: str) -> Step:
    rest, _, latest = _time(body, CONNECT_SECONDS)
    if rest != "CONNECT":
        raise _WrongError("behind << stands CONNECT, and a time")
    return AwaitConnect(latest)


def _act(sign: str, body: str) -> Step:
    words = body.split()
    match words:
        case ["CONNECT"]:
            return Connect()
        case ["CLOSE"]:
            return Close()
        case ["KEEPALIVE"]:
            return KeepAlive()
        case ["OPERATOR", hook]:
            return Operate(hook, 0)
        case ["OPERATOR", hook, count] if count.isdigit():
            return Operate(hook, int(count))
    raise _WrongError(f"expected CONNECT, CLOSE, KEEPALIVE or OPERATOR, found {body!r}")


_BY_SIGN = {
    ">": _send,
    "<": _wait,
    "<~": _wait,
    "<?": _wait,
    "<!": _forbid,
    "<<": _await_connect,
    "!": _act,
}
