"""A WebSocket client of the tests' own: just enough of RFC 6455 for text messages and close frames."""
import base64
import os
import socket
import struct

import support


class Closed(Exception):
    """The socket ended without a close frame."""


class WebSocket:
    def __init__(self, port, connected=None):
        self.socket = connected or socket.create_connection(("127.0.0.1", port), support.DEADLINE_S)
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
            raise Closed("the node closed the socket")
        self.buffered += part

    def take(self, count):
        while len(self.buffered) < count:
            self.receive()
        taken, self.buffered = self.buffered[:count], self.buffered[count:]
        return taken

    def send(self, text):
        self.send_frame(b"\x81", text.encode())

    def send_close(self, code):
        self.send_frame(b"\x88", struct.pack(">H", code))

    def send_frame(self, first, data):
        mask = os.urandom(4)
        length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self.socket.sendall(first + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))

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
