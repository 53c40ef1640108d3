"""A client that wanders: it connects to one node, subscribes from its cursor, reads for a moment, vanishes in the middle of
whatever comes and goes on at another node. It ends at the event with "end" in it and prints what it saw:
{"start": cursor of the first subscription, "events": [[id or null, n], ...], "gaps": [[position in events, gap], ...], "visits": n}.

    wanderer.py <seed> <longest visit in s; 0: never leaves by itself> <subscribe fields as JSON> <port> [<port> ...]
"""
import json
import random
import struct
import sys
import time

import support
import websocket

TRIES_S = 60


class Left(Exception):
    """The visit is over."""


class Visit(websocket.WebSocket):
    """A connection whose reads end with the visit."""

    def __init__(self, port, until):
        self.until = until
        self.at = 0
        super().__init__(port)
        self.buffered = bytearray(self.buffered)

    def receive(self):
        left = self.until - time.monotonic()
        if left <= 0:
            raise Left
        self.socket.settimeout(min(left, support.DEADLINE_S))
        try:
            part = self.socket.recv(1 << 18)
        except TimeoutError:
            raise Left from None
        if not part:
            raise websocket.Closed("the node closed the socket")
        self.buffered += part

    def take(self, count):
        while len(self.buffered) - self.at < count:
            if self.at:
                del self.buffered[:self.at]
                self.at = 0
            self.receive()
        taken = bytes(self.buffered[self.at:self.at + count])
        self.at += count
        return taken

    def pong(self, data):
        mask = b"\0\0\0\0"
        self.socket.sendall(b"\x8a" + bytes([0x80 | len(data)]) + mask + data)

    def next(self):
        while True:
            first, length = self.take(2)
            if length == 126:
                length = struct.unpack(">H", self.take(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", self.take(8))[0]
            data = self.take(length)
            if first == 0x81:
                return json.loads(data)
            if first == 0x89:
                self.pong(data)
            if first == 0x88:
                raise websocket.Closed(str(struct.unpack(">H", data[:2])[0]))


class Wanderer:
    def __init__(self, seed, visit_s, subscription, ports):
        self.random = random.Random(seed)
        self.visit_s, self.subscription, self.ports = visit_s, subscription, ports
        self.cursor = self.start = None
        self.events, self.gaps, self.visits, self.is_done = [], [], 0, False
        self.refusals = []

    def take(self, message):
        if message.get("op") == "events":
            for event in message["events"]:
                data = event["data"]
                self.events.append([event.get("id"), data.get("n")])
                self.is_done = self.is_done or "end" in data
            self.cursor = message.get("cursor") or self.cursor
        elif message.get("op") == "gap":
            self.gaps.append([len(self.events), message])
        elif message.get("id") == 1 and "error" in message:
            self.refusals.append(message["error"]["code"])
            raise Left
        elif message.get("id") == 1 and not self.cursor:
            self.cursor = self.start = message["ok"]["cursor"]

    def visit(self, port):
        longest = self.random.uniform(0.05, self.visit_s) if self.visit_s else 1e9
        visit = Visit(port, time.monotonic() + longest)
        try:
            request = {"id": 1, "op": "subscribe", **self.subscription}
            if self.cursor:
                request["since"] = self.cursor
            visit.send(json.dumps(request))
            self.visits += 1
            while not self.is_done:
                self.take(visit.next())
        finally:
            visit.socket.close()

    def wander(self):
        print("wandering", flush=True)
        last = time.monotonic()
        while not self.is_done:
            before = len(self.events)
            try:
                self.visit(self.random.choice(self.ports))
            except (Left, websocket.Closed, OSError, AssertionError):
                support.pause()
            if len(self.events) != before:
                last = time.monotonic()
            if time.monotonic() - last > TRIES_S:
                return


def main():
    wanderer = Wanderer(sys.argv[1], float(sys.argv[2]), json.loads(sys.argv[3]), [int(port) for port in sys.argv[4:]])
    wanderer.wander()
    json.dump({name: getattr(wanderer, name) for name in ("start", "events", "gaps", "visits", "is_done", "refusals")}, sys.stdout)


if __name__ == "__main__":
    main()
