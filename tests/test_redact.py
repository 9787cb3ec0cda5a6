"""Secrets never survive `mask`; hostile text never reaches HTML as it came."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixlab.errors import ConfigError
from fixlab.redact import SECRET_TAGS, escape, hide, mask, printable, reveal

DELIMITERS = ["\x01", "|", "^A", "\\x01", "\u2401", "<SOH>"]
DATA_PAIRS = {96: 95, 1402: 1401, 1404: 1403}
TEXT_TAGS = sorted(SECRET_TAGS - DATA_PAIRS.keys())

delimiters = st.sampled_from(DELIMITERS)
# A marker makes the secret recognisable: no other part of a message contains it.
noise = st.text(st.characters(codec="latin-1"), max_size=12)


@pytest.fixture
def hidden() -> Iterator[None]:
    hide(58, 1)
    yield
    reveal(58, 1)


def planted(before: str, after: str, delimiter: str) -> str:
    """A secret of arbitrary text around a marker, free of the delimiter of its message."""
    return before.replace(delimiter, "") + "S3CRET" + after.replace(delimiter, "")


@pytest.mark.parametrize(
    ("raw", "masked"),
    [
        ("35=A|553=me|554=hunter2|10=000|", "35=A|553=me|554=***|10=000|"),
        ("554=hunter2", "554=***"),
        ("35=A^A925=new^A554=old^A10=000^A", "35=A^A925=***^A554=***^A10=000^A"),
        ("35=A|95=3|96=a|b|108=30|", "35=A|95=3|96=***|108=30|"),
        ("1554=kept|9554=kept|554=gone|", "1554=kept|9554=kept|554=***|"),
        ("0554=gone|98=0|", "0554=***|98=0|"),
        ("8=FIX|554=gone|\n8=FIX|35=0|\n", "8=FIX|554=***|\n8=FIX|35=0|\n"),
        ("58=bad field 554=gone|10=000|", "58=bad field 554=***|10=000|"),
        ("554=|98=0|", "554=***|98=0|"),
        ("95=3|96=a\x01b|58=kept|", "95=3|96=***|58=kept|"),
        ("35=D|58=nothing secret|", "35=D|58=nothing secret|"),
        ("", ""),
    ],
)
def test_masks_only_the_values_of_secret_tags(raw: str, masked: str) -> None:
    assert mask(raw) == masked
    assert mask(raw.encode("latin-1")) == masked.encode("latin-1")


def test_a_bar_inside_a_password_does_not_end_it_on_the_wire() -> None:
    assert mask(b"554=a|1=b\x0198=0\x01") == b"554=***\x0198=0\x01"


@pytest.mark.parametrize("length", ["0", "3", "500", "", "x", "999999999999"])
def test_a_data_field_with_a_wrong_length_is_hidden_up_to_the_trailer(length: str) -> None:
    raw = f"35=A\x0195={length}\x0196=ab\x0158=S3CRET\x0110=123\x01"
    assert "S3CRET" not in mask(raw)


def test_a_message_cut_inside_its_secret_shows_nothing_of_it() -> None:
    raw = "35=A\x0195=20\x0196=ab\x0158=S3CRET\x011="
    for end in range(raw.index("ab"), len(raw) + 1):
        assert mask(raw[:end]) == "35=A\x0195=20\x0196=***"


@given(st.sampled_from(TEXT_TAGS), delimiters, noise, noise, noise)
def test_a_secret_never_survives(
    tag: int, delimiter: str, before: str, after: str, text: str
) -> None:
    # What the peer puts into another field must not open a way out, so it is arbitrary too,
    # but a marker in it would prove nothing.
    secret = planted(before, after, delimiter)
    other = text.replace(delimiter, "")
    fields = ["35=A", f"58={other}", f"{tag}={secret}", "98=0", "10=123", ""]
    assert "S3CRET" not in mask(delimiter.join(fields))


@given(st.sampled_from(sorted(DATA_PAIRS)), delimiters, noise, noise)
def test_a_data_secret_never_survives_whatever_bytes_it_holds(
    tag: int, delimiter: str, before: str, after: str
) -> None:
    secret = before + "S3CRET" + after
    length = f"{DATA_PAIRS[tag]}={len(secret)}"
    raw = delimiter.join(["35=A", length, f"{tag}={secret}", "98=0", "10=123", ""])
    masked = mask(raw)
    assert "S3CRET" not in masked
    assert masked.endswith(delimiter.join(["", "98=0", "10=123", ""]))


@given(st.sampled_from(sorted(DATA_PAIRS)), st.integers(0, 60), noise, noise)
def test_a_lying_length_shows_nothing(tag: int, lie: int, before: str, after: str) -> None:
    # A length that ends just before something that looks like a field is no lie one can see.
    secret = re.sub(r"\x01(?=[0-9\r\n]|\Z)", "", before + "S3CRET" + after)
    raw = f"35=A\x01{DATA_PAIRS[tag]}={lie}\x01{tag}={secret}\x0110=123\x01"
    assert "S3CRET" not in mask(raw)


@given(st.sampled_from(sorted(SECRET_TAGS)), delimiters, noise, st.data())
def test_a_truncated_message_shows_nothing(
    tag: int, delimiter: str, after: str, data: st.DataObject
) -> None:
    secret = "S3CRET" * 3 + after.replace(delimiter, "")
    length = f"{DATA_PAIRS.get(tag, 108)}={len(secret)}"
    raw = delimiter.join(["35=A", length, f"{tag}={secret}", "10=123", ""])
    cut = data.draw(st.integers(0, len(raw)))
    assert "S3CRET" not in mask(raw[:cut])


@given(st.text())
def test_text_without_a_secret_tag_stays_as_it_is(text: str) -> None:
    if not re.search(r"(554|925|96|1402|1404)=", text):
        assert mask(text) == text


@given(st.binary())
def test_any_bytes_can_be_masked(raw: bytes) -> None:
    assert mask(raw) == mask(raw.decode("latin-1")).encode("latin-1")


@pytest.mark.parametrize(
    "raw", ["0" * 50_000, "1=1|" * 20_000, "554=" * 20_000, "95=9|" * 20_000]
)
def test_hostile_text_is_masked_in_one_pass(raw: str) -> None:
    assert "554=554=" not in mask(raw)


@pytest.mark.usefixtures("hidden")
def test_configured_tags_are_hidden_too() -> None:
    assert mask("35=D|1=ACCOUNT|58=note|55=ACME|") == "35=D|1=***|58=***|55=ACME|"


def test_configured_tags_can_be_shown_again() -> None:
    hide(58)
    reveal(58)
    assert mask("58=note|") == "58=note|"


@pytest.mark.parametrize("tag", ["58", 0, -1, True, 5.0])
def test_what_is_no_tag_cannot_be_hidden(tag: object) -> None:
    with pytest.raises(ConfigError, match="a tag is a whole number from 1, found"):
        hide(tag)  # type: ignore[arg-type]


def test_a_secret_by_definition_cannot_be_revealed() -> None:
    with pytest.raises(ConfigError, match="554"):
        reveal(554)
    assert mask("554=x|") == "554=***|"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("a\x01b\nc\x1b[31m", "a\\x01b\\nc\\x1b[31m"),
        ("evil\u202etxt", "evil\\u202etxt"),
        ("\ud800", "\\ud800"),
        ("Zürich", "Zürich"),
        (b"Z\xfcrich\x85", "Zürich\\x85"),
    ],
)
def test_invisible_characters_become_visible(text: str | bytes, shown: str) -> None:
    assert printable(text) == shown


@given(st.text() | st.binary())
def test_escaped_text_holds_no_markup_and_nothing_invisible(text: str | bytes) -> None:
    shown = escape(text)
    assert not set(shown) & set("<>\"'")
    assert shown.isprintable()
    shown.encode("utf-8")
    assert re.fullmatch(r"(?:[^&]|&(?:amp|lt|gt|quot|#x27);)*", shown)


def test_a_script_from_the_wire_stays_text() -> None:
    assert escape(b"<img src=x onerror='a()'>") == "&lt;img src=x onerror=&#x27;a()&#x27;&gt;"


def test_masking_very_many_secrets_is_linear_work() -> None:
    scans = 0

    class Watched(str):
        __slots__ = ()

        def __contains__(self, part: object) -> bool:
            nonlocal scans
            scans += 1
            return super().__contains__(part)  # type: ignore[operator]

    # What a peer may write into one Text(58): no delimiter stands right before any of them.
    assert mask(Watched("x554=a|1=" * 1_000)) == "x554=***|1=" * 1_000
    assert scans <= 10
