"""The scenarios of permessage-deflate, for bench.py: 1,000 clients that watch a busy swarm, with it and without. The clients live
here, in Python: all are read, a few of them take frames apart, inflate them and count events, so that the server's CPU is what is
measured and nothing is lost unseen."""
import json
import random
import select
import socket
import time
import zlib
from pathlib import Path

from log_scenarios import WAIT_S, at_most

OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
WATCHED = 3
BURST = 50  # events, published at once
BURSTS_A_SECOND = 40
KINDS = ["tool.call", "tool.result", "llm.request", "llm.response", "span.start", "span.end", "agent.state"]
TOOLS = ["search", "read_file", "write_file", "run_tests", "browse"]


def events(count):
    """Payloads as agents publish them: the same names again and again, other numbers each time."""
    chance = random.Random(7)
    for number in range(count):
        yield json.dumps({
            "type": chance.choice(KINDS), "sessionId": f"session-{chance.randrange(40):04d}", "agentId": f"agent-{chance.randrange(8)}",
            "spanId": f"{chance.getrandbits(64):016x}", "parentId": f"{chance.getrandbits(64):016x}",
            "timestamp": 1764031200000 + number * 7, "durationMs": round(chance.expovariate(1 / 120), 2),
            "model": chance.choice(["large-2", "small-1"]),
            "tokens": {"input": chance.randrange(4000), "output": chance.randrange(900)},
            "status": chance.choice(["ok", "ok", "ok", "ok", "error"]),
            "state": {"step": chance.randrange(50), "tool": chance.choice(TOOLS), "progress": round(chance.random(), 3)},
        }, separators=(",", ":")).encode()


def publishes(payloads):
    return b"".join(b"*3\r\n$7\r\nPUBLISH\r\n$11\r\ntrace:bench\r\n$%d\r\n%s\r\n" % (len(payload), payload) for payload in payloads)


class Client:
    def __init__(self, port, is_deflated, is_watched):
        self.link = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self.is_watched, self.bytes, self.events, self.rest = is_watched, 0, 0, b""
        self.link.sendall(("GET /v1/stream HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                           + (OFFER if is_deflated else "") + "\r\n").encode())
        request = b'{"id":1,"op":"subscribe"}'
        self.link.sendall(bytes([0x81, 0x80 | len(request), 0, 0, 0, 0]) + request)
        got = b""
        while b'"ok":' not in got or not got.endswith(b"}"):
            piece = self.link.recv(4096)
            if not piece:
                raise ConnectionError("closed while it subscribed")
            got += piece
        if is_deflated != (b"Sec-WebSocket-Extensions: permessage-deflate" in got):
            raise ValueError("the extension was not agreed on as it should be")
        self.link.setblocking(False)

    def read(self, room):
        try:
            count = self.link.recv_into(room)
        except BlockingIOError:
            return
        if not count:
            raise ConnectionError("a client was closed")
        self.bytes += count
        if self.is_watched:
            self.take_frames(self.rest + bytes(room[:count]))

    def take_frames(self, data):
        while len(data) >= 2:
            size, head = data[1], 2
            if size >= 126:
                head = 4 if size == 126 else 10
                size = int.from_bytes(data[2:head], "big")
            if len(data) < head + size:
                break
            payload = data[head:head + size]
            if data[0] & 0x40:
                payload = inflate(payload)
            if data[0] & 0x0F == 1:
                self.events += len(json.loads(payload).get("events", []))
            data = data[head + size:]
        self.rest = data


def inflate(payload):
    return zlib.decompressobj(wbits=-15).decompress(payload + b"\x00\x00\xff\xff")


def cpu_seconds(pid):
    """Of all threads, to the nanosecond (schedstat: time on the processor)."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


class Swarm:
    """The clients of one run and who publishes to them."""

    def __init__(self, bench, port, count, is_deflated):
        self.clients = [Client(port, is_deflated, number < WATCHED) for number in range(count)]
        self.by_fd = {client.link.fileno(): client for client in self.clients}
        self.poll = select.epoll()
        for fd in self.by_fd:
            self.poll.register(fd, select.EPOLLIN)
        self.redis = socket.create_connection(("127.0.0.1", bench.redis_port), timeout=WAIT_S)
        self.room = memoryview(bytearray(1 << 20))
        self.published = 0

    def turn(self, seconds):
        """Reads what comes; False: nothing did."""
        ready = self.poll.poll(max(seconds, 0))
        for fd, _ in ready:
            self.by_fd[fd].read(self.room)
        return bool(ready)

    def publish(self, payloads):
        self.redis.sendall(publishes(payloads))
        self.published += len(payloads)
        replies = 0
        while replies < len(payloads):
            replies += self.redis.recv(65536).count(b"\n")

    def settle(self):
        deadline = time.monotonic() + WAIT_S
        while any(client.events < self.published for client in self.clients[:WATCHED]) and time.monotonic() < deadline:
            self.turn(0.1)
        while self.turn(0.3):
            pass
        if any(client.events != self.published for client in self.clients[:WATCHED]):
            raise ValueError("events were lost")

    def run(self, payloads):
        start = time.monotonic()
        for number in range(0, len(payloads), BURST):
            due = start + number / BURST / BURSTS_A_SECOND
            while time.monotonic() < due:
                self.turn(due - time.monotonic())
            self.publish(payloads[number:number + BURST])
        self.settle()

    def close(self):
        for client in self.clients:
            client.link.close()
        self.redis.close()


def measure(bench, is_deflated, quick):
    """CPU seconds of the server, and the bytes that all clients got."""
    count, seconds = (100, 1) if quick else (1000, 5)
    payloads = list(events(seconds * BURSTS_A_SECOND * BURST))
    port = bench.free_port()
    with bench.start_gateway(port) as server:
        swarm = Swarm(bench, port, count, is_deflated)
        swarm.run(payloads[:BURST * BURSTS_A_SECOND])
        before = sum(client.bytes for client in swarm.clients)
        cpu = cpu_seconds(server.child.pid)
        swarm.run(payloads)
        cpu = cpu_seconds(server.child.pid) - cpu
        total = sum(client.bytes for client in swarm.clients) - before
        swarm.close()
    return cpu, total, len(payloads)


def deflate_cpu(bench, row, quick):
    """In an order that is fair to both, the lower of two counts; (b) is without."""
    bench.on_load_core()
    costs = {False: [], True: []}
    for is_deflated in (False, True, True, False):
        cpu, _, count = measure(bench, is_deflated, quick)
        costs[is_deflated].append(cpu / count * 1e6)
    row.add("batch", min(costs[False]))
    row.add("gateway", min(costs[True]))
    row.ratios.append(min(costs[True]) / min(costs[False]))


def deflate_bytes(bench, row, quick):
    bench.on_load_core()
    plain, packed = (measure(bench, is_deflated, quick) for is_deflated in (False, True))
    row.add("batch", plain[1] / plain[2])
    row.add("gateway", packed[1] / packed[2])
    row.ratios.append(packed[1] / plain[1])


def deflate_idle(bench, row, quick):
    """Bytes of memory that an idle client takes more than a plain one does."""
    count = 200 if quick else 2000
    bench.on_load_core()
    sizes = []
    for is_deflated in (False, True):
        port = bench.free_port()
        with bench.start_gateway(port) as server:
            before = bench.private_bytes(server.child.pid)
            clients = [Client(port, is_deflated, False) for _ in range(count)]
            sizes.append((bench.private_bytes(server.child.pid) - before) / count)
            for client in clients:
                client.link.close()
    row.add("batch", sizes[0] / 1024)
    row.add("gateway", sizes[1] / 1024)
    row.ratios.append((sizes[1] - sizes[0]) / 1024)


SCENARIOS = {
    "deflate_varied": (deflate_cpu, "1,000 clients with permessage-deflate, 2,000 events/s that differ much, in bursts of 50: CPU an event", "µs",
                "≤ 1.3 × (b)", at_most(1.3)),
    "deflate_varied_bytes": (deflate_bytes, "the same: bytes an event to all of them", "B", "≤ 0.2 × (b)", at_most(0.2)),
    "deflate_idle": (deflate_idle, "an idle subscribed client with permessage-deflate: KiB more than without", "KiB", "≤ 1 KiB more",
                     at_most(1)),
}
