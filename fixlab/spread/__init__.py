"""Logs over several machines with Dask: read in parts, looked at session by session.

`read(paths)` gives a `SpreadLog`, of which `analyze`, `gaps`, `ledger`, `resends` and
`intervals` are what the functions of the same names give on one machine. It needs
`pip install 'fixlab[dask]'` and a `distributed.Client`; every worker and the caller must reach
the files under the same names.

When to use it: when the rows of all logs do not fit the memory of one machine, or take it too
long and more machines are there. On one machine it never pays: two workers of a cluster take as
long for a log of 4 million messages as one process alone, for rows travel between them, while
`read_log(workers=2)` takes 0.6 of that. By that measure a gain begins with about four workers;
for what looks at the rows only with many sessions, since each is looked at by one worker.

What has to fit where: a part's rows, and all rows of a group of sessions, each fit one worker
(some 60 bytes a message to hold, three times that to look at); a session may span any number of
parts and files. The caller holds what was found, never the rows, unless it asks for them.
"""

from __future__ import annotations

from fixlab.spread._log import SpreadLog, read

__all__ = ["SpreadLog", "read"]
