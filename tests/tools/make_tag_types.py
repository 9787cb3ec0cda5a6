"""Make the table in fixlab/logs/_tag_types.py: which tags hold numbers, times or flags.

    python tests/tools/make_tag_types.py

reads the same dictionaries as make_facts.py; a tag has the type that the latest version says.
"""

import xml.etree.ElementTree as ElementTree
from itertools import groupby
from pathlib import Path

from fixlab.facts import VERSIONS
from tests.tools.make_facts import dictionary_text

TABLE = Path(__file__).parents[2] / "fixlab" / "logs" / "_tag_types.py"
HEAD = '''"""Which tags hold whole and other numbers, times and flags; all others hold text.

Made by tests/tools/make_tag_types.py. Do not edit.
"""

'''
KINDS = {
    "WHOLE": ("INT", "LENGTH", "SEQNUM", "NUMINGROUP", "TAGNUM", "DAYOFMONTH"),
    "DECIMAL": ("FLOAT", "PRICE", "QTY", "AMT", "PERCENTAGE", "PRICEOFFSET", "MULTIPLIER"),
    "TIMES": ("UTCTIMESTAMP",),
    "FLAGS": ("BOOLEAN",),
}


def make_table() -> str:
    """The whole text of the module."""
    types: dict[int, str] = {}
    for version in VERSIONS:
        for field in ElementTree.fromstring(dictionary_text(version)).iterfind("fields/field"):
            types[int(field.attrib["number"])] = field.attrib["type"]
    parts = []
    for name, kinds in KINDS.items():
        tags = sorted(tag for tag, kind in types.items() if kind in kinds)
        words = ranges(tags)
        lines = [""]
        for word in words:
            if len(lines[-1]) + len(word) > 85:
                lines.append("")
            lines[-1] += f"{word} "
        text = "\n".join(f'    "{line}"' for line in lines)
        parts.append(f"{name} = (\n{text}\n)\n")
    return HEAD + "".join(parts)


def ranges(tags: list[int]) -> list[str]:
    """Tags that follow each other as `first-last`."""
    found = []
    for _, group in groupby(enumerate(tags), lambda pair: pair[1] - pair[0]):
        run = [tag for _, tag in group]
        found.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return found


if __name__ == "__main__":
    TABLE.write_text(make_table(), encoding="utf-8")
