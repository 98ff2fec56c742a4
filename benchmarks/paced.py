"""Google, answering at once or in time, over plain asyncio: `python -m benchmarks.paced PORT`.

A model whose name holds `paced` sends an event every 20 ms, one that holds `held` its first event and then nothing for
long. Everything else is for machines without nginx.
"""

import asyncio
import sys

from benchmarks.exchanges import BUFFERED, EMBEDDINGS, EVENTS, STREAM, TOKENS, event

PACE = 0.02
_HOLD = 600.0


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _whole(data: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + _chunk(data) + _END


_END = b"0\r\n\r\n"
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_PIECES = [_chunk(event(last=number == EVENTS - 1)) for number in range(EVENTS)]
_BURST = _STREAM_HEAD + _chunk(STREAM) + _END
_BUFFERED, _EMBEDDINGS, _COUNT = _whole(BUFFERED), _whole(EMBEDDINGS), _whole(TOKENS)


class Google(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]  # a server's transport writes
        self._head: bytes | None = None
        self._buffer = bytearray()
        self._missing = 0

    def data_received(self, data: bytes) -> None:
        """Answer each request that has arrived whole; bodies are counted, not kept."""
        self._buffer += data
        while True:
            if self._head is None:
                end = self._buffer.find(b"\r\n\r\n")
                if end < 0:
                    return
                self._head = bytes(self._buffer[:end]).lower()
                del self._buffer[: end + 4]
                at = self._head.find(b"content-length: ")
                self._missing = int(self._head[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            taken = min(self._missing, len(self._buffer))
            del self._buffer[:taken]
            self._missing -= taken
            if self._missing:
                return
            head, self._head = self._head, None
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if b":streamgeneratecontent" not in head:
            whole = _EMBEDDINGS if b":batchembed" in head else _COUNT if b":counttokens" in head else _BUFFERED
            self._transport.write(whole)
        elif b"paced" in head or b"held" in head:
            self._transport.write(_STREAM_HEAD)
            self._send(0, _HOLD if b"held" in head else PACE)
        else:
            self._transport.write(_BURST)

    def _send(self, number: int, pace: float) -> None:
        if self._transport.is_closing():
            return
        if number == EVENTS:
            self._transport.write(_END)
            return
        self._transport.write(_PIECES[number])
        asyncio.get_running_loop().call_later(pace, self._send, number + 1, pace)


async def main(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Google, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1])))
