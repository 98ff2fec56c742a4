"""A Google that costs next to nothing: canned answers over plain asyncio, and a paced stream."""

import asyncio
import sys

import orjson
import uvloop

EVENTS = 100
PACE = 0.02

_USAGE = {"promptTokenCount": 120, "candidatesTokenCount": 150, "totalTokenCount": 270}
_CHAT = {
    "candidates": [
        {"content": {"parts": [{"text": "Lorem " * 130}], "role": "model"}, "finishReason": "STOP", "index": 0}
    ],
    "usageMetadata": _USAGE,
    "modelVersion": "gemini-2.5-flash",
    "responseId": "benchmark",
}
_VECTOR = [((number * 7919) % 2003 - 1001) / 29000 for number in range(3072)]


def _event(*, last: bool) -> bytes:
    candidate: dict[str, object] = {"content": {"parts": [{"text": "word "}], "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    event = {**_CHAT, "candidates": [candidate]}
    return b"data: " + orjson.dumps(event) + b"\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _whole(body: object) -> bytes:
    data = orjson.dumps(body)
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(data), data)


_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_PIECES = [_chunk(_event(last=number == EVENTS - 1)) for number in range(EVENTS)]
_END = b"0\r\n\r\n"
_BURST = _STREAM_HEAD + b"".join(_PIECES) + _END
_BUFFERED = _whole(_CHAT)
_EMBEDDINGS = _whole({"embeddings": [{"values": _VECTOR}] * 100})
_COUNT = _whole({"totalTokens": 500})


class Google(asyncio.Protocol):
    """Answers by the method in the path; a model whose name holds `paced` sends an event every 20 ms."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]  # a server's transport writes
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that has arrived whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length: ")
            length = int(head[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if b":streamgeneratecontent" not in head:
            whole = _EMBEDDINGS if b":batchembed" in head else _COUNT if b":counttokens" in head else _BUFFERED
            self._transport.write(whole)
        elif b"paced" in head:
            self._transport.write(_STREAM_HEAD)
            self._send(0)
        else:
            self._transport.write(_BURST)

    def _send(self, number: int) -> None:
        if self._transport.is_closing():
            return
        if number == EVENTS:
            self._transport.write(_END)
            return
        self._transport.write(_PIECES[number])
        asyncio.get_running_loop().call_later(PACE, self._send, number + 1)


async def main(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Google, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
