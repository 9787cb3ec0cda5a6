"""Names: few distinct texts in many rows, as small integers, looked up without Python."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fixlab.logs._words import Bools, Bytes, Ints, Words, first_bytes

Codes = npt.NDArray[np.int32]

NAMES_MAX = 1 << 16  # distinct texts kept: a peer may make up any number of CompIDs
OVERFLOW = b"\xe2\x80\xa6"  # stands for all further ones
_SLOTS = 1 << 12
_TRIES = 16  # new texts in a block that are learned for all its rows at once
_WORDS = 8  # texts of up to 64 bytes are looked up together, others one by one
_U = np.uint64
_SOHS = _U(0x0101010101010101)
_MIX = tuple(
    _U(odd)
    for odd in (
        *(0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93),
        *(0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53, 0x94D049BB133111EB, 0xBF58476D1CE4E5B9),
    )
)


class Names:
    """Texts and their codes, in order of occurrence; code 0 is the empty text."""

    def __init__(
        self, names_max: int = NAMES_MAX, *, clean: Callable[[bytes], bytes] = bytes
    ) -> None:
        self.texts: list[bytes] = [b""]
        self._codes: dict[bytes, int] = {b"": 0}
        self._names_max = names_max
        self._clean = clean  # what is kept of a text
        self._slot_words = np.zeros((_WORDS, _SLOTS), np.uint64)
        self._slot_code = np.zeros(_SLOTS, np.int32)  # 0 is a free one
        self._longest = 0  # bytes of a text in a slot

    def code(self, text: bytes) -> int:
        """The code of one text."""
        return self.adopt(self._clean(text))

    def adopt(self, text: bytes) -> int:
        """The code of a text that other names have kept."""
        code = self._codes.get(text)
        if code is None:
            if len(self.texts) > self._names_max:
                text = OVERFLOW
                if text in self._codes:
                    return self._codes[text]
            code = len(self.texts)
            self.texts.append(text)
            self._codes[text] = code
        return code

    @property
    def overflowed(self) -> bool:
        """Whether there were more texts than are kept."""
        return len(self.texts) > self._names_max and OVERFLOW in self._codes

    def codes_at(self, data: Bytes, words: Words, at: Ints, length: Ints) -> Codes:
        """The code of each text; equal texts, equal codes."""
        if len(at) == 0:
            return np.empty(0, np.int32)
        keys, slot = _keys(words, at, length)
        found, same = self._looked_up(keys, slot)
        if same.all():
            return found
        empty = length <= 0
        found[empty] = 0
        missed = np.flatnonzero(~(same | empty))
        for _ in range(_TRIES):
            if len(missed) == 0:
                return found
            # One that is new is likely the text of many rows.
            self._learn(data, keys, slot, missed[0], at, length)
            codes, same = self._looked_up([key[missed] for key in keys], slot[missed])
            found[missed[same]] = codes[same]
            missed = missed[~same]
        for i in missed:
            found[i] = self._learn(data, keys, slot, i, at, length)
        return found

    def _looked_up(self, keys: list[Words], slot: Ints) -> tuple[Codes, Bools]:
        """The codes in the slots, and whether they are those of the texts."""
        found = self._slot_code.take(slot)
        same = found > 0
        for place, key in enumerate(keys):
            same &= self._slot_words[place].take(slot) == key
        for place in range(len(keys), _WORDS):
            if self._longest > 8 * place:
                same &= self._slot_words[place].take(slot) == 0
        return found, same

    def _learn(
        self,
        data: Bytes,
        keys: list[Words],
        slots: Ints,
        row: np.intp,
        at: Ints,
        length: Ints,
    ) -> int:
        """The code of one text, which is looked up in its slot from now on if that is free."""
        size, slot = int(length[row]), int(slots[row])
        text = data[at[row] : at[row] + size].tobytes()
        code = self.code(text)
        # A first word of zero is that of texts too long to be looked up.
        if self._slot_code[slot] == 0 and code > 0 and keys[0][row] != 0:
            self._slot_code[slot] = code
            self._longest = max(self._longest, size)
            for place, key in enumerate(keys):
                self._slot_words[place][slot] = key[row]
        return code


def _keys(words: Words, at: Ints, length: Ints) -> tuple[list[Words], Ints]:
    """The words of each text, zero behind its end, and the slot that they hash to.

    SOH, of which no text has any, is zero in them: a zero in a text is another byte.
    """
    keys = [first_bytes(words[at] ^ _SOHS, length)]
    hashed = keys[0] * _MIX[0]
    longest = int(length.max())
    for place in range(1, min((longest + 7) // 8, _WORDS)):
        keys.append(first_bytes(words[at + 8 * place] ^ _SOHS, length - 8 * place))
        hashed ^= keys[-1] * _MIX[place]
    if longest > 8 * _WORDS:
        # Too long to be looked up together: no slot holds words such as these.
        keys[0] = np.where(length > 8 * _WORDS, _U(0), keys[0])
    hashed *= _MIX[0]
    hashed >>= _U(64 - 12)
    return keys, hashed.view(np.int64)
