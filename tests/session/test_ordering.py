"""The order of fields: what the quickfix profile writes is what the real engine would."""

import random

import pytest
import quickfix

from fixlab.dictionary import Dictionary
from fixlab.dictionary.definitions import Block
from fixlab.session.outbound import ElaborateComposer, composer_of
from fixlab.wire.fields import Field
from fixlab.wire.message import encode
from fixlab.wire.tags import ADMIN_TYPES, LENGTH_TO_DATA, TRAILER_TAGS
from tests.dictionary.published import published, published_path
from tests.session.script import NOW, T0, bench, config

_DATA = set(LENGTH_TO_DATA.values())


def composer(dictionary: Dictionary | None, begin_string: str) -> ElaborateComposer:
    made = composer_of(
        config(profile="quickfix", begin_string=begin_string, dictionary=dictionary), lambda: 7
    )
    assert isinstance(made, ElaborateComposer)
    return made


def some_fields(block: Block, dice: random.Random, depth: int = 0) -> list[list[Field]]:
    """Fields of a block at random, those that belong together in one list."""
    found: list[list[Field]] = []
    first = block.tags[0] if depth else 0
    for tag in block.tags:
        if tag in _DATA or tag in TRAILER_TAGS or (tag != first and dice.random() > 0.3):
            continue
        if tag in block.groups:
            if depth < 3:
                found.append(some_entries(tag, block, dice, depth))
        elif tag in LENGTH_TO_DATA:
            # Within a group the engine takes data to end at the next SOH, whatever its length.
            value = b"x" if depth else dice.choice([b"x", b"a\x01b=\x01"])
            found.append([(tag, b"%d" % len(value)), (LENGTH_TO_DATA[tag], value)])
        else:
            found.append([(tag, b"v%d" % tag)])
    return found


def some_entries(tag: int, block: Block, dice: random.Random, depth: int) -> list[Field]:
    count = dice.randint(1, 3)
    fields: list[Field] = [(tag, b"%d" % count)]
    for _ in range(count):
        for together in some_fields(block.groups[tag], dice, depth + 1):
            fields += together
    return fields


def wire(fields: list[Field]) -> bytes:
    return b"".join(b"%d=%b\x01" % field for field in fields)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("begin_string", ["FIX.4.2", "FIX.4.3", "FIX.4.4"])
def test_quickfix_would_write_the_same_bytes(begin_string: str, seed: int) -> None:
    dice = random.Random(f"{begin_string}/{seed}")
    dictionary = published(begin_string)
    theirs = quickfix.DataDictionary(str(published_path(begin_string)))
    ours = composer(dictionary, begin_string)
    types = sorted(set(dictionary.messages) - ADMIN_TYPES)
    for msg_type in dice.sample(types, 4):
        units = some_fields(dictionary.messages[msg_type], dice)
        dice.shuffle(units)
        body = [field for unit in units for field in unit]
        header = [(57, b"SUB"), (115, b"OBO"), (97, b"N"), (50, b"DESK")]
        written = ours.message(msg_type.encode(), 5, wire(header), wire(body), NOW)
        plain = wire([(35, msg_type.encode()), (34, b"5"), *ours._address(NOW), *header, *body])
        message = quickfix.Message(
            encode(begin_string.encode(), plain).decode("latin-1"), theirs, False
        )
        assert written.decode("latin-1") == message.toString(), msg_type


@pytest.mark.parametrize("begin_string", ["FIX.4.0", "FIX.4.4"])
def test_admin_messages_and_gap_fills_ascend_too(begin_string: str) -> None:
    made = bench(profile="quickfix", begin_string=begin_string)
    made.send("35=D|55=X|11=A|57=THEM|")
    assert made.sent == ["35=D|34=2|57=THEM|11=A|55=X|"]
    made.receive("35=2|34=2|7=1|16=0|")
    first = T0 if begin_string == "FIX.4.0" else f"{T0}.000"
    assert made.sent == [
        f"35=4|34=1|43=Y|122={first}|36=2|123=Y|",
        f"35=D|34=2|43=Y|57=THEM|122={first}|11=A|55=X|",
    ]
    raw = made.output.data
    assert raw.index(b"43=Y") < raw.index(b"49=ME") < raw.index(b"52=") < raw.index(b"56=YOU")


def test_without_a_dictionary_a_body_that_may_hold_a_group_keeps_its_order() -> None:
    made = bench(profile="quickfix")
    for body in ("55=X|453=1|448=P|447=D|11=A|", "55=X|448=P|448=Q|11=A|"):
        made.send(f"35=D|{body}")
        assert made.sent[0].endswith(body)


def test_data_stays_behind_its_length_and_the_trailer_last() -> None:
    made = bench(profile="quickfix")
    made.send("35=D|2372=3|2371=a\x01b|95=3|96=xyz|93=2|89=ab|55=X|")
    assert made.sent == ["35=D|34=2|55=X|95=3|96=xyz|2372=3|2371=a\x01b|93=2|89=ab|"]


def test_hops_of_the_header_stay_in_their_order() -> None:
    made = bench(profile="quickfix")
    made.send("35=D|627=2|628=A|629=20260105-09:00:00|628=B|630=4|50=DESK|11=A|")
    assert made.sent == [
        "35=D|34=2|50=DESK|627=2|628=A|629=20260105-09:00:00|628=B|630=4|11=A|"
    ]


def test_other_profiles_keep_the_order_of_the_application() -> None:
    for profile in ("spec", "artio"):
        made = bench(profile=profile)
        assert not isinstance(made.session._compose, ElaborateComposer)
        made.send("35=D|55=X|11=A|57=THEM|")
        assert made.sent == ["35=D|34=2|57=THEM|55=X|11=A|"]
