"""CASES: the test cases by id, read from the package; and a reader of cases of your own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TypeVar

from fixlab.conformance.model import Case, Level, Need, Verdict
from fixlab.conformance.notation import Line, parse_line
from fixlab.errors import ConfigError
from fixlab.rules import RULES
from fixlab.session.config import BEGIN_STRINGS
from fixlab.session.transitions import Role

_PAIR = re.compile(r"([a-z]+):\s*(.*?)(?=\s{2,}[a-z]+:\s|$)")
_HEADS = ("ref", "title", "level", "role", "versions", "rules", "pre", "needs", "quickfix")
_REQUIRED = ("ref", "level", "role", "versions", "rules", "pre")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9_/.-]{0,31}")
_SINCE = re.compile(r"(FIX\.)?(4\.[0-4])\+")
_HB = re.compile(r"\s*hb=([0-9]{1,4})")
_ROLES = {"I": Role.INITIATOR, "A": Role.ACCEPTOR, "any": None}
_PRECONDITIONS = ("NONE", "CONNECT", "LOGON")

E = TypeVar("E", Level, Need, Verdict)


class Cases(Mapping[str, Case]):
    """Test cases by id, in their order; shown as a table. Loaded on first use."""

    __slots__ = ("_load", "_loaded")

    def __init__(self, load: Callable[[], Mapping[str, Case]]) -> None:
        self._load = load
        self._loaded: Mapping[str, Case] | None = None

    def _cases(self) -> Mapping[str, Case]:
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    def __getitem__(self, ref: str) -> Case:
        try:
            return self._cases()[ref]
        except KeyError:
            raise KeyError(self._unknown(ref)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._cases())

    def __len__(self) -> int:
        return len(self._cases())

    def __repr__(self) -> str:
        mandatory = sum(case.level is Level.MANDATORY for case in self.values())
        return f'<{len(self)} test cases, {mandatory} mandatory; try CASES["2b"]>'

    def _repr_html_(self) -> str:
        columns = ("case", "level", "role", "versions", "rules", "title")
        left = 'style="text-align:left"'
        heads = "".join(f"<th {left}>{name}</th>" for name in columns)
        rows = []
        for case in self.values():
            versions = "all" if case.versions == BEGIN_STRINGS else " ".join(case.versions)
            cells = (
                *(case.ref, case.level, case.role or "any", versions),
                *(" ".join(case.rules), case.title),
            )
            rows.append("".join(f"<td {left}>{escape(str(cell))}</td>" for cell in cells))
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return (
            f'<div style="max-height:32em;overflow:auto"><table><thead><tr>{heads}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def _unknown(self, ref: object) -> str:
        from difflib import get_close_matches  # only a mistake needs it

        near = get_close_matches(str(ref).strip(), self._cases(), n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else 'ids look like "2b" or "X-06"'
        return f"no test case {ref!r}; {hint}"


def parse_cases(text: str, *, name: str = "cases") -> Mapping[str, Case]:
    """The cases in `text`, by id: what the catalogue is written in.

    A case begins with its header and goes on with a script in the notation of
    `fixlab.conformance.notation`; above a line `---` stand the lines that lead up to it:

    ```
    ref: MINE-1   level: R   role: any   versions: 4.2+   rules: SEQ-05   pre: LOGON
    title: A number too high
    > 35=0|34=5
    < 35=2|34=2|7=2 5s  # RRQ-01
    ```

    `role` is that of the system under test: `I`, `A` or `any`. `versions`: `all`, `4.2+`,
    `FIXT`, `4.0, 4.1`. `pre`: `NONE`, `CONNECT` (to an acceptor) or `LOGON`, with `hb=2` for a
    HeartBtInt(108) that the case needs. `needs` names members of `Need`. `#` starts a remark.

    Raises `ConfigError`, with `name` and the line, for what cannot be read.
    """
    cases: dict[str, Case] = {}
    draft: _Draft | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line, where = raw.strip(), f"{name}, line {number}"
        if not line or line.startswith("#"):
            continue
        if line.startswith("ref:"):
            _finish(draft, cases)
            draft = _Draft(where)
        elif draft is None:
            raise ConfigError(f"{where}: a case starts with `ref:`, found {line!r}")
        draft.take(line, where)
    _finish(draft, cases)
    return Cases(lambda: cases)


@dataclass(slots=True)
class _Draft:
    """A case while it is read."""

    where: str
    heads: dict[str, str] = field(default_factory=dict)
    setup: list[Line] = field(default_factory=list)
    script: list[Line] = field(default_factory=list)
    divided: bool = False

    def take(self, line: str, where: str) -> None:
        where = f"{where} (case {self.heads.get('ref', '?')})"
        if line == "---":
            if self.divided:
                raise ConfigError(f"{where}: a case has one line `---`")
            self.setup, self.script, self.divided = self.script, [], True
        elif not self.script and not self.divided and re.match(r"[a-z]+:\s", line):
            for key, value in _PAIR.findall(line):
                if key not in _HEADS:
                    raise ConfigError(f"{where}: expected {', '.join(_HEADS)}, found {key!r}")
                if key in self.heads:
                    raise ConfigError(f"{where}: {key} comes twice")
                self.heads[key] = value.strip()
        else:
            self.script.append(parse_line(line, where))

    def case(self) -> Case:
        heads, where = self.heads, self.where
        for name in _REQUIRED:
            if not heads.get(name):
                raise ConfigError(f"{where}: the case has no {name}")
        ref = heads["ref"]
        where = f"{where} (case {ref})"
        if not _REF.fullmatch(ref):
            raise ConfigError(f"{where}: a ref is letters, digits and -_/. without spaces")
        if not self.script:
            raise ConfigError(f"{where}: the case has no script")
        logon, heartbeat = _precondition(heads["pre"], where)
        return Case(
            ref=ref,
            title=heads.get("title", ""),
            level=_one(Level, heads["level"], "level", where),
            role=_role(heads["role"], where),
            versions=_versions(heads["versions"], where),
            rules=_rules(heads["rules"], where),
            logon=logon == "LOGON",
            heartbeat_seconds=heartbeat,
            setup=(*_connecting(logon), *self.setup),
            script=tuple(self.script),
            needs=frozenset(
                _one(Need, one, "needs", where) for one in _listed(heads.get("needs", ""))
            ),
            quickfix=_one(Verdict, heads["quickfix"], "quickfix", where)
            if heads.get("quickfix")
            else None,
        )


def _finish(draft: _Draft | None, cases: dict[str, Case]) -> None:
    if draft is None:
        return
    case = draft.case()
    if case.ref in cases:
        raise ConfigError(f"{draft.where}: case {case.ref} comes twice")
    cases[case.ref] = case


def _connecting(precondition: str) -> tuple[Line, ...]:
    return (parse_line("! CONNECT", "precondition"),) if precondition == "CONNECT" else ()


def _precondition(text: str, where: str) -> tuple[str, int | None]:
    heartbeat = None
    if found := _HB.search(text):
        heartbeat, text = int(found[1]), text[: found.start()]
    if text not in _PRECONDITIONS:
        raise ConfigError(
            f"{where}: pre is one of {', '.join(_PRECONDITIONS)}, with hb=n, found {text!r}"
        )
    return text, heartbeat


def _role(text: str, where: str) -> Role | None:
    if text not in _ROLES:
        raise ConfigError(f"{where}: role is one of {', '.join(_ROLES)}, found {text!r}")
    return _ROLES[text]


def _versions(text: str, where: str) -> tuple[str, ...]:
    if text == "all":
        return BEGIN_STRINGS
    found: list[str] = []
    for part in _listed(text):
        if since := _SINCE.fullmatch(part):
            found += BEGIN_STRINGS[BEGIN_STRINGS.index(f"FIX.{since[2]}") :]
        elif part == "FIXT":
            found.append("FIXT.1.1")
        elif f"FIX.{part}" in BEGIN_STRINGS:
            found.append(f"FIX.{part}")
        else:
            raise ConfigError(
                f"{where}: versions are all, 4.2+, FIXT or such as 4.0, 4.1; found {part!r}"
            )
    return tuple([version for version in BEGIN_STRINGS if version in found])


def _rules(text: str, where: str) -> tuple[str, ...]:
    rules = _listed(text)
    for rule in rules:
        if rule not in RULES:
            raise ConfigError(f"{where}: no rule {rule!r}; see fixlab.RULES")
    return rules


def _listed(text: str) -> tuple[str, ...]:
    return tuple([part for part in (one.strip() for one in text.split(",")) if part])


def _one(kind: type[E], text: str, what: str, where: str) -> E:
    try:
        return kind(text)
    except ValueError:
        names = ", ".join(member.value for member in kind)
        raise ConfigError(f"{where}: {what} is one of {names}, found {text!r}") from None


def _read() -> Mapping[str, Case]:
    path = Path(__file__).with_name("_cases.txt")
    return dict(parse_cases(path.read_text(encoding="utf-8"), name=path.name))


CASES = Cases(_read)
