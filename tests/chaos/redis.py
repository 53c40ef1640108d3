"""Redis as the chaos tests need it: a server that can be killed and come back, and a client of a few lines (RESP2)."""
import os
import signal
import socket
import tempfile

import support


class Refused(Exception):
    """Redis answered with an error."""


class Client:
    def __init__(self, port, timeout_s=support.DEADLINE_S):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.buffered = bytearray()

    def close(self):
        self.socket.close()

    def fill(self):
        part = self.socket.recv(1 << 20)
        if not part:
            raise ConnectionError("Redis closed the connection")
        self.buffered += part

    def line(self):
        while (end := self.buffered.find(b"\r\n")) < 0:
            self.fill()
        line = bytes(self.buffered[:end])
        del self.buffered[:end + 2]
        return line

    def reply(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return Refused(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        length = int(rest)
        if length < 0:
            return None
        while len(self.buffered) < length + 2:
            self.fill()
        data = bytes(self.buffered[:length])
        del self.buffered[:length + 2]
        return data

    @staticmethod
    def pack(*words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        return b"".join(parts)

    def ask(self, *words):
        self.socket.sendall(self.pack(*words))
        answer = self.reply()
        if isinstance(answer, Refused):
            raise answer
        return answer

    def entries(self, stream, page=2000):
        """All entries of a stream, as (id, payload)."""
        found, last = [], "-"
        while True:
            part = self.ask("XRANGE", stream, last, "+", "COUNT", page)
            for name, fields in part:
                found.append((name.decode(), fields[fields.index(b"p") + 1]))
            if len(part) < page:
                return found
            last = "(" + part[-1][0].decode()


class Server:
    """A redis-server with a folder of its own; start() again after kill() finds what it had on disk."""

    def __init__(self, test, *options):
        self.test, self.options = test, options
        self.folder = tempfile.TemporaryDirectory(prefix="tracegate-chaos-")
        test.addCleanup(self.folder.cleanup)
        self.port = support.free_ports(1)
        self.start()

    def start(self):
        self.process = support.Process(self.test, ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                                                   "--dir", self.folder.name, *self.options])
        self.process.wait_for_output("Ready to accept connections")

    def kill(self):
        self.process.child.kill()
        self.process.child.wait()

    def signal(self, number):
        os.kill(self.process.child.pid, number)

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def wake(self):
        self.signal(signal.SIGCONT)

    def client(self):
        return Client(self.port)

    def ask(self, *words):
        client = self.client()
        try:
            return client.ask(*words)
        finally:
            client.close()
