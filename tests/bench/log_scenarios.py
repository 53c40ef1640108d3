"""The scenarios of the log, for bench.py: recording, latency with the log, history, many clients that resume, one far behind."""
import base64
import json
import os
import select
import signal
import socket
import struct
import subprocess
import time

WAIT_S = 60


class Redis:
    """The few commands that the scenarios need."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT_S)
        self.file = self.socket.makefile("rb", 1 << 20)

    @staticmethod
    def pack(*words):
        data = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        return b"*%d\r\n" % len(data) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in data)

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return self.file.read(int(rest) + 2)[:-2] if int(rest) >= 0 else None
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest.decode()

    def ask(self, *words):
        self.socket.sendall(self.pack(*words))
        return self.reply()

    def publish(self, payloads, channel="trace:bench", chunk=500):
        """Publishes in pipelines; the numbers of receivers are read and thrown away."""
        for at in range(0, len(payloads), chunk):
            part = payloads[at:at + chunk]
            self.socket.sendall(b"".join(self.pack("PUBLISH", channel, payload) for payload in part))
            for _ in part:
                self.reply()


def payload_of(number, size=300):
    head = f'{{"sessionId":"bench","type":"tool.call","n":{number},"text":"'
    return (head + "x" * (size - len(head) - 2) + '"}').encode()


def wait_until(what, condition, pause_s=0.001):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {WAIT_S} s: {what}")
        select.select([], [], [], pause_s)


def clean(bench):
    redis = Redis(bench.redis_port)
    redis.ask("FLUSHALL")
    redis.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0")
    return redis


def fill(redis, events):
    """Has the gateway record so many events."""
    redis.publish([payload_of(number) for number in range(events)])
    wait_until("all is recorded", lambda: redis.ask("XLEN", "tg:log") >= events, 0.01)


LOG_OPTIONS = ("--history.enabled", "yes", "--history.max_events", "0", "--session.max_events", "0", "--record.pending_bytes", "4g",
               "--record.grace", "60s")


def loop(bench, *arguments, script=None):
    """What a bare loop over hiredis reaches, on the core that a gateway would have."""
    run = subprocess.run([bench.programs / "redis_loops", *map(str, arguments)], input=script, capture_output=True, check=True,
                         preexec_fn=lambda: os.sched_setaffinity(0, {bench.server_core}))
    return float(run.stdout)


def record(bench, row, quick):
    """The node is stopped while events are published; then it has to record them all."""
    events = 20000 if quick else 300000
    script = subprocess.run([bench.gateway, "--print-script"], capture_output=True, check=True).stdout
    redis = clean(bench)
    bare = loop(bench, "record", bench.redis_port, events, script=script)
    redis = clean(bench)
    with bench.start_gateway(bench.free_port(), LOG_OPTIONS) as server:
        fill(redis, 100)
        server.child.send_signal(signal.SIGSTOP)
        redis.publish([payload_of(number) for number in range(events)])
        server.child.send_signal(signal.SIGCONT)
        # Its lease ran out meanwhile: it takes everything in and has its fence come back before it records.
        wait_until("it records again", lambda: redis.ask("XLEN", "tg:log") > 100)
        first, start = redis.ask("XLEN", "tg:log"), time.monotonic()
        wait_until("all is recorded", lambda: redis.ask("XLEN", "tg:log") >= events + 100)
        rate = (events + 100 - first) / (time.monotonic() - start)
    row.add("batch", bare)
    row.add("gateway", rate)
    row.ratios.append(rate / bare)


def lone(bench, row, quick):
    """The ratio is how many milliseconds the log adds to the median latency of a lone event."""
    settings = {"clients": 1, "count": 200 if quick else 2000}
    clean(bench)
    without = bench.measure("gateway", "lone", settings)["p50Micros"]
    with_log = bench.measure("log", "lone", settings)["p50Micros"]
    row.add("batch", without)
    row.add("gateway", with_log)
    row.ratios.append((with_log - without) / 1000)


def read_lines(port, target):
    """Reads a whole NDJSON answer and gives the number of its lines."""
    lines = 0
    buffer = bytearray(1 << 20)
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as link:
        link.sendall(f"GET {target} HTTP/1.0\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n".encode())
        while count := link.recv_into(buffer):
            lines += buffer.count(b'{"id":"', 0, count)
    return lines


def history(bench, row, quick):
    """Of a node that just started, so that nothing is in its memory."""
    events = 20000 if quick else 300000
    redis = clean(bench)
    port = bench.free_port()
    with bench.start_gateway(port, LOG_OPTIONS):
        fill(redis, events)
    with bench.start_gateway(port, LOG_OPTIONS):
        bare = loop(bench, "read", bench.redis_port)
        start = time.monotonic()
        lines = read_lines(port, "/v1/history?channels=trace:*&from=earliest")
        rate = lines / (time.monotonic() - start)
    if lines < 0.99 * events:
        row.trouble.append(f"{lines} of {events} came")
    row.add("batch", bare)
    row.add("gateway", rate)
    row.ratios.append(rate / bare)


def websocket_request(port, request):
    key = base64.b64encode(os.urandom(16)).decode()
    head = (f"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n").encode()
    data = json.dumps(request).encode()
    return head + b"\x81\xfe" + struct.pack(">H", len(data)) + b"\0\0\0\0" + data


def resume(bench, row, quick):
    """All clients connect at once and resume the last 100 events; the ratio is the seconds until all have them."""
    clients, wanted = (100 if quick else 2000), 100
    redis = clean(bench)
    port = bench.free_port()
    with bench.start_gateway(port, LOG_OPTIONS):
        fill(redis, 5000)
    with bench.start_gateway(port, LOG_OPTIONS):
        newest = redis.ask("XREVRANGE", "tg:log", "+", "-", "COUNT", 2 * wanted)
        oldest = [name for name, fields in newest if b"trace:bench" in fields][wanted].decode()  # nodes write of themselves too
        row.ratios.append(resume_all(port, clients, wanted, oldest))
    row.add("gateway", row.ratios[-1])


def resume_all(port, clients, wanted, since):
    request = websocket_request(port, {"id": 1, "op": "subscribe", "channels": ["trace:*"], "since": since})
    mark = b'{"id":"'
    counts, links, tails = {}, {}, {}
    watch = select.epoll()
    start = time.monotonic()
    for _ in range(clients):
        link = socket.create_connection(("127.0.0.1", port), WAIT_S)
        link.sendall(request)
        links[link.fileno()], counts[link.fileno()], tails[link.fileno()] = link, 0, b""
        watch.register(link, select.EPOLLIN)
    missing = clients
    while missing and time.monotonic() - start < WAIT_S:
        for number, _ in watch.poll(1):
            before, read = counts[number], tails[number] + links[number].recv(1 << 20)
            counts[number] += read.count(mark)
            tails[number] = read[-(len(mark) - 1):]  # a mark may come in two pieces
            missing -= before < wanted <= counts[number]
    for link in links.values():
        link.close()
    return time.monotonic() - start if not missing else float("inf")


def behind(bench, row, quick):
    """One client reads nothing while 100 MB are published; the ratio is the MiB that the node grows more than with one that reads."""
    events = 2000 if quick else 100000
    grown = [grow(bench, events, reads) for reads in (True, False)]
    row.add("batch", grown[0] / (1 << 20))
    row.add("gateway", grown[1] / (1 << 20))
    row.ratios.append((grown[1] - grown[0]) / (1 << 20))


def grow(bench, events, reads):
    redis = clean(bench)
    port = bench.free_port()
    with bench.start_gateway(port, LOG_OPTIONS) as server, socket.create_connection(("127.0.0.1", port), WAIT_S) as link:
        link.sendall(websocket_request(port, {"id": 1, "op": "subscribe", "channels": ["trace:*"]}))
        answered = b""
        while b'"ok"' not in answered:
            answered += link.recv(1 << 16)
        link.setblocking(False)
        payloads = [payload_of(number, 1000) for number in range(events)]
        # The ring is full and every buffer has its size before the count begins.
        for part in range(0, 2 * events, 1000):
            if part == events:
                before = bench.private_bytes(server.child.pid)
            redis.publish(payloads[part % events:part % events + 1000])
            if reads or part < events:
                drink(link)
        wait_until("all is recorded", lambda: redis.ask("XLEN", "tg:log") >= 2 * events, 0.01)
        return bench.private_bytes(server.child.pid) - before


def drink(link):
    try:
        while link.recv(1 << 20):
            pass
    except BlockingIOError:
        pass


def at_least(limit):
    return lambda number: number >= limit


def at_most(limit):
    return lambda number: number <= limit


SCENARIOS = {
    "record": (record, "recording what was published meanwhile: events/s; (b) is a bare loop of the same script", "", "≥ 0.7 × (b)", at_least(0.7)),
    "lone_log": (lone, "one lone event, with the log and (b) without: median latency; the ratio is the difference in ms", "µs", "≤ 1.5 ms",
                 at_most(1.5)),
    "history": (history, "reading the whole log over HTTP: entries/s; (b) is a bare XRANGE loop", "", "≥ 0.6 × (b)", at_least(0.6)),
    "resume": (resume, "2,000 clients connect at once and resume 100 events each, of a node that just started: all done", "s", "≤ 3 s", at_most(3)),
    "behind": (behind, "a client 100 MB behind, (b) one that keeps up: growth of memory; the ratio is the difference in MiB", "MiB", "≤ 1 MiB",
               at_most(1)),
}
