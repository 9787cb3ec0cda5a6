"""Published dictionaries, a small one to break, and messages as people write them."""

from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

from fixlab.dictionary import Checks, Dictionary, Violation, validate
from fixlab.wire.message import Message, encode

VERSIONS = ("FIX.4.0", "FIX.4.1", "FIX.4.2", "FIX.4.3", "FIX.4.4", "FIXT.1.1")
HEAD = "34=2|49=ME|52=20260105-09:00:00|56=YOU|"

SMALL = """\
<fix type="FIX" major="4" minor="4" servicepack="0">
 <header>
  <field name="BeginString" required="Y"/><field name="BodyLength" required="Y"/>
  <field name="MsgType" required="Y"/>
 </header>
 <messages>
  <message name="NewOrderSingle" msgtype="D" msgcat="app">
   <field name="ClOrdID" required="Y"/>
   <component name="Parties" required="N"/>
   <field name="Side" required="N"/>
  </message>
 </messages>
 <trailer><field name="CheckSum" required="Y"/></trailer>
 <components>
  <component name="Parties">
   <group name="NoPartyIDs" required="Y">
    <field name="PartyID" required="Y"/><field name="PartyRole" required="N"/>
   </group>
  </component>
 </components>
 <fields>
  <field number="8" name="BeginString" type="STRING"/>
  <field number="9" name="BodyLength" type="LENGTH"/>
  <field number="10" name="CheckSum" type="STRING"/>
  <field number="11" name="ClOrdID" type="STRING"/>
  <field number="35" name="MsgType" type="STRING"/>
  <field number="54" name="Side" type="CHAR">
   <value enum="1" description="BUY"/><value enum="2" description="SELL"/>
  </field>
  <field number="448" name="PartyID" type="STRING"/>
  <field number="452" name="PartyRole" type="INT"/>
  <field number="453" name="NoPartyIDs" type="NUMINGROUP"/>
 </fields>
</fix>
"""


def published_path(version: str) -> Path:
    """Where the published dictionary of `version` lies."""
    name = version.replace(".", "") + ".xml"
    with as_file(files("fixcore").joinpath("specs", name)) as path:
        return path  # the package is unpacked, so this is the file itself


@cache
def published(version: str) -> Dictionary:
    """The published dictionary; FIXT.1.1 carries 5.0 SP2."""
    if version == "FIXT.1.1":
        return Dictionary.from_quickfix_xml(
            published_path(version), application=published_path("FIX.5.0SP2")
        )
    return Dictionary.from_quickfix_xml(published_path(version))


def small(tmp_path: Path, old: str = "", new: str = "") -> Path:
    """A file with the small dictionary, in which `old` is replaced by `new`."""
    assert old in SMALL
    path = tmp_path / "small.xml"
    path.write_text(SMALL.replace(old, new, 1) if old else SMALL, encoding="utf-8")
    return path


def wire(version: str, text: str) -> Message:
    """A framed message of `35=D|11=A|...`; with the usual header unless it has one."""
    kind, _, rest = text.partition("|")
    if "|52=" not in text:
        rest = HEAD + rest
    body = f"{kind}|{rest}".replace("|", "\x01").encode("latin-1")
    return Message.from_wire(encode(version.encode(), body))


def found(version: str, text: str, **switches: bool) -> Violation | None:
    """What the published dictionary of `version` finds in a message, asked twice."""
    message = wire(version, text)
    dictionary, checks = published(version), Checks(**switches)
    first = validate(message, dictionary, checks)
    # The second time the list of tags is known: the verdict must be the same.
    assert validate(message, dictionary, checks) == first
    return first


def order(version: str, extra: str = "") -> str:
    """A valid market order of `version`; what `extra` names replaces what it has."""
    fields = {"11": "A-1", "21": "1", "55": "ACME", "54": "1", "38": "100", "40": "1"}
    if version not in ("FIX.4.0", "FIX.4.1"):
        fields["60"] = "20260105-09:00:00.123"
    if version == "FIX.4.3":
        fields["460"] = "5"
    given = {part.partition("=")[0] for part in extra.split("|") if part}
    usual = "".join(f"{tag}={value}|" for tag, value in fields.items() if tag not in given)
    return f"35=D|{usual}{extra}"
