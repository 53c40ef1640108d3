"""Frames of HTTP/2 by hand (RFC 9113), for what no well-behaved client does. Fields are sent as literals without Huffman codes
(RFC 7541 section 6.2.2); of the answers only the status, which is in the static table or a literal, is looked at."""
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
DEADLINE_S = 30


def fields(*pairs):
    """Names and values, each a str or bytes."""
    return b"".join(b"\0" + literal(name) + literal(value) for name, value in pairs)


def literal(text):
    text = text if isinstance(text, bytes) else text.encode()
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest, length = len(text) - 127, b"\x7f"
    while rest >= 128:
        length, rest = length + bytes([rest % 128 + 128]), rest // 128
    return length + bytes([rest]) + text


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def get(path, *more):
    return fields((":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "localhost"), *more)


class Connection:
    """Sends what it is told; frames that come are (type, flags, stream, payload)."""

    def __init__(self, port, window=None, receive_bytes=None):
        """receive_bytes: what the kernel keeps for who does not read."""
        self.socket = socket.socket()
        self.socket.settimeout(DEADLINE_S)
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.connect(("127.0.0.1", port))
        settings = struct.pack(">HI", 4, window) if window is not None else b""
        self.socket.sendall(PREFACE)
        self.send(SETTINGS, 0, 0, settings)
        self.rest = b""

    def close(self):
        self.socket.close()

    def send(self, kind, flags, stream, payload=b""):
        self.socket.sendall(frame(kind, flags, stream, payload))

    def read_exactly(self, count):
        while len(self.rest) < count:
            part = self.socket.recv(65536)
            if not part:
                return None
            self.rest += part
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def frame(self):
        """The next frame, or None at the end of the connection."""
        head = self.read_exactly(9)
        if head is None:
            return None
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        if kind == SETTINGS and not flags & ACK:
            self.send(SETTINGS, ACK, 0)
        return kind, flags, stream, self.read_exactly(length)

    def wait_for(self, kind, stream=None):
        while True:
            frame = self.frame()
            if frame is None:
                raise AssertionError(f"the connection ended before a frame of type {kind}")
            if frame[0] == kind and (stream is None or frame[2] == stream):
                return frame

    def wait_for_end(self):
        """All frames up to the end of the connection."""
        frames = []
        try:
            while (frame := self.frame()) is not None:
                frames.append(frame)
        except ConnectionResetError:
            pass
        return frames
