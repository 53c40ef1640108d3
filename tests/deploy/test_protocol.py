"""Every example of docs/protocol.md is what a real node answers. A block is one connection: "> " is sent, "< " must come next,
"$ " is published in Redis; "< CLOSE code" is the end. What differs from run to run is compared by its type."""
import base64
import json
import os
import re
import socket
import struct
import unittest

import support

VARYING = {"sub", "ts", "now", "node", "client", "version"}


class WebSocket:
    """Just enough of RFC 6455 for text messages and close frames."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), support.DEADLINE_S)
        self.buffered = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        while b"\r\n\r\n" not in self.buffered:
            self.receive()
        head, self.buffered = self.buffered.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 101 "), head

    def receive(self):
        part = self.socket.recv(65536)
        if not part:
            raise AssertionError("the node closed the socket")
        self.buffered += part

    def take(self, count):
        while len(self.buffered) < count:
            self.receive()
        taken, self.buffered = self.buffered[:count], self.buffered[count:]
        return taken

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self.socket.sendall(b"\x81" + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))

    def next(self):
        """The next message, or "CLOSE <code>"."""
        while True:
            first, length = self.take(2)
            if length == 126:
                length = struct.unpack(">H", self.take(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", self.take(8))[0]
            data = self.take(length)
            if first == 0x81:
                return data.decode()
            if first == 0x88:
                return f"CLOSE {struct.unpack('>H', data[:2])[0]}"


def blocks():
    with open(support.path("docs", "protocol.md")) as file:
        return [block.strip().splitlines() for block in re.findall(r"^```json\n(.*?)^```$", file.read(), re.M | re.S)]


def is_as_written(real, written, name=""):
    if name in VARYING or written == "*":
        return isinstance(real, type(written))
    if isinstance(written, dict) and isinstance(real, dict):
        return list(real) == list(written) and all(is_as_written(real[key], written[key], key) for key in written)
    if isinstance(written, list) and isinstance(real, list):
        return len(real) == len(written) and all(map(is_as_written, real, written))
    return type(real) is type(written) and real == written


class Protocol(unittest.TestCase):
    def expect(self, client, written):
        real = client.next()
        if "CLOSE" in (written[:5], real[:5]):
            self.assertEqual(real, written)
        else:
            self.assertTrue(is_as_written(json.loads(real), json.loads(written)), f"\nthe page says {written}\nthe node says {real}")

    def replay(self, lines, port, redis_port):
        client = WebSocket(port)
        self.addCleanup(client.socket.close)
        if not lines[0].startswith("< "):
            self.assertIn('"op":"welcome"', client.next())
        for line in lines:
            if line.startswith("> "):
                client.send(line[2:])
            elif line.startswith("< "):
                self.expect(client, line[2:])
            elif line.startswith("$ PUBLISH "):
                support.publish(redis_port, *line.split(" ", 3)[2:])
            else:
                self.fail(f"what is {line!r}?")

    def test_every_example_is_what_a_node_answers(self):
        redis = support.start_redis(self)
        node = support.start_node(self, redis.port)
        examples = blocks()
        self.assertGreater(len(examples), 5)
        for number, lines in enumerate(examples, 1):
            with self.subTest(example=number):
                self.replay(lines, node.port, redis.port)


if __name__ == "__main__":
    support.main()
