"""A WebSocket client of the `websockets` package, as programs use it: compression, fragments, its own pings.

Argument: the URL. Says on one line of JSON what it found.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect


async def main():
    found = {}
    async with connect(sys.argv[1], ping_interval=0.2, ping_timeout=20, max_size=None) as socket:
        found["extensions"] = [extension.name for extension in socket.protocol.extensions]
        texts = ["a", "grüße", "x" * 500_000]
        echoes = []
        for text in texts:
            await socket.send(text)
            echoes.append(await socket.recv() == text)
        found["texts"] = echoes
        await socket.send(bytes(range(256)) * 1000)
        found["bytes"] = await socket.recv() == bytes(range(256)) * 1000
        await socket.send(["one ", "two ", "three"])
        found["fragments"] = await socket.recv()
        await asyncio.sleep(1)  # a few of its own pings
        found["latency"] = socket.latency > 0
    found["code"] = socket.close_code
    print(json.dumps(found))


asyncio.run(main())
