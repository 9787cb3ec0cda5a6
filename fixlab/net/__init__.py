"""Live sessions over TCP on asyncio: `Initiator` connects, `Acceptor` listens."""
