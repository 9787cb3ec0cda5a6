"""A process that sends orders over a live session until all have been sent, or it is killed.

It knows what was sent from its store alone: run again on the same file, it goes on from there.
"""

import asyncio
import sys

from fixlab.net.initiator import Initiator
from fixlab.stores.sqlite import SQLiteStore
from fixlab.wire.message import Message
from tests.net.peers import BUY, order


async def main(port: int, path: str, count: int) -> None:
    store = SQLiteStore(path)
    stored = [Message.from_wire(raw) for _, raw in store.sent(1, store.peek_out() - 1)]
    done = sum(message.msg_type == "D" for message in stored)
    async with Initiator(BUY, port=port, store=store) as buy:
        for n in range(done, count):
            await buy.send(order(n))
            if n % 3 == 0:
                await asyncio.sleep(0.0005)
        await buy.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
