"""QuickFIX's own FileStore, in a process of its own: one JSON command a line, one answer.

Run as `python quickfix_child.py FOLDER BEGIN SENDER TARGET DATE TIME`; the date and time, such
as 20260105 and 093000, are those of a store that is made.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import quickfix


def stamp(date: str, time: str) -> Any:
    hour, minute, second = (int(time[i : i + 2]) for i in (0, 2, 4))
    return quickfix.UtcTimeStamp(
        hour, minute, second, int(date[6:]), int(date[4:6]), int(date[:4])
    )


def main(folder: str, begin_string: str, sender: str, target: str, *now: str) -> None:
    factory = quickfix.FileStoreFactory(folder)
    session_id = quickfix.SessionID(begin_string, sender, target)
    store = factory.create(stamp(*now), session_id)
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        answer: object = None
        if command == "send":  # what a session does for a message of its own
            store.set(store.getNextSenderMsgSeqNum(), arguments[0])
            store.incrNextSenderMsgSeqNum()
        elif command == "set":
            store.set(*arguments)
        elif command == "next_in":
            store.setNextTargetMsgSeqNum(arguments[0])
        elif command == "reset":
            store.reset(stamp(*arguments))
        elif command == "get":
            found = quickfix.VectorString()
            store.get(*arguments, found)
            answer = list(found)
        elif command == "numbers":
            answer = [store.getNextSenderMsgSeqNum(), store.getNextTargetMsgSeqNum()]
        else:
            break
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    factory.destroy(store)


if __name__ == "__main__":
    main(*sys.argv[1:])
