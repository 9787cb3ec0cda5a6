"""Frames about groups of sessions as one frame: what one machine would have made of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab import frames
from fixlab.frames import MISSING

Ints = npt.NDArray[np.int64]


def stacked(
    parts: Sequence[pd.DataFrame],
    order: Sequence[Ints],
    closed: Mapping[str, tuple[str, ...] | None],
) -> pd.DataFrame:
    """The rows of all parts, sorted by `order`. `closed`: categories that a column always has.

    What orders two rows alike stands in one part, and keeps its order.
    """
    place = np.argsort(np.concatenate(order), kind="stable")
    columns = {}
    for name in parts[0].columns:
        each = [part[name] for part in parts]
        if isinstance(each[0].dtype, pd.CategoricalDtype) and closed.get(name) is None:
            columns[name] = _categories(each, place)
        else:
            columns[name] = pd.concat(each, ignore_index=True).array.take(place)
    return pd.DataFrame(columns, copy=False)


def _categories(parts: Sequence[pd.Series], place: Ints) -> pd.Categorical:
    """Those that occur in any part, sorted."""
    texts = sorted({str(text) for part in parts for text in part.cat.categories})
    at = {text: i for i, text in enumerate(texts)}
    codes = []
    for part in parts:
        # The last one stands for a missing value, whose code is -1.
        new = np.array([*(at[str(text)] for text in part.cat.categories), -1], np.int64)
        codes.append(new[part.cat.codes.to_numpy()])
    joined = np.concatenate(codes)[place]
    return frames.categorical(joined.astype(frames.narrowest(len(texts))), texts)


def renumbered(resends: pd.DataFrame, part: Ints) -> pd.DataFrame:
    """`resends` with requests counted over all parts; `part` is where each row came from."""
    request = frames.numbers(resends, "request")
    covered = frames.numbers(resends, "covered_by").copy()
    place = {key: i for i, key in enumerate(zip(part.tolist(), request.tolist(), strict=True))}
    known = np.flatnonzero(covered != MISSING)
    covered[known] = [place[int(part[i]), int(covered[i])] for i in known.tolist()]
    schema = frames.RESENDS
    for name, values in (("request", np.arange(len(resends))), ("covered_by", covered)):
        resends[name] = frames.array(values, schema[name].dtype)
    return resends
