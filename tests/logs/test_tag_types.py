"""The table of types is what its maker makes of the published dictionaries."""

from fixlab.logs import _tags
from tests.tools.make_tag_types import TABLE, make_table


def test_the_table_is_up_to_date() -> None:
    assert TABLE.read_text(encoding="utf-8") == make_table()


def test_ranges_become_tags() -> None:
    kinds = _tags._kinds()
    assert [kinds.get(tag, "") for tag in (33, 34, 44, 52, 43, 11)] == [
        *("WHOLE", "WHOLE", "DECIMAL", "TIMES", "FLAGS", ""),
    ]
