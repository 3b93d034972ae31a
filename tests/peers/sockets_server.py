"""A WebSocket server of the `websockets` package that repeats every message. Says its port, then serves.

Argument: the largest message in bytes.
"""

import asyncio
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def repeat(socket):
    try:
        async for message in socket:
            await socket.send(message)
    except ConnectionClosed:
        pass  # how it ended is the client's to judge


async def main():
    largest = int(sys.argv[1])
    async with serve(repeat, "127.0.0.1", 0, max_size=largest, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
