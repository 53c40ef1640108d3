"""The scenarios of credentials and limits, for bench.py."""
import base64
import hashlib
import hmac
import json
import socket
import subprocess
import threading
import time

SECRET = "a secret of the bench, long enough for HS512: 0123456789 0123456789 0123456789"
WAIT_S = 60


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(identity, **grants):
    head = encode(b'{"alg":"HS256","typ":"JWT"}')
    claims = {"sub": identity, "exp": int(time.time()) + 3600, "tracegate": grants}
    signed = head + b"." + encode(json.dumps(claims).encode())
    return (signed + b"." + encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest())).decode()


def options(is_required):
    return ("--history.enabled", "no", "--auth.required", "yes" if is_required else "no", "--auth.jwt_secret", SECRET)


def connect(bench, clients, has_tokens):
    """Connections a second, each with a token of its own or none."""
    tokens = "".join(token(f"user-{i}", sessions=[f"s{i}"]) + "\n" for i in range(clients)) if has_tokens else ""
    port = bench.free_port()
    with bench.start_gateway(port, options(has_tokens)) as server:
        command = bench.load_command("connect", port, {"pid": server.child.pid, "clients": clients, "tokens": int(has_tokens)})
        done = subprocess.run([str(part) for part in command], input=tokens, capture_output=True, text=True, timeout=WAIT_S,
                              preexec_fn=bench.on_load_core)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    result = json.loads(done.stdout)
    return result["connectionsPerSecond"]


def accept(bench, row, quick):
    """In an order that is fair to both; the better of two counts."""
    clients = 500 if quick else 10000
    rates = {False: [], True: []}
    for has_tokens in (False, True, True, False):
        rates[has_tokens].append(connect(bench, clients, has_tokens))
    bare, judged = max(rates[False]), max(rates[True])
    row.add("batch", bare)
    row.add("gateway", judged)
    row.ratios.append(judged / bare)


class Limited:
    """A client with ten events a second that subscribes to everything and reads what comes."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT_S)
        request = json.dumps({"id": 1, "op": "subscribe", "channels": ["trace:*"]}).encode()
        self.socket.sendall(f"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                            f"Authorization: Bearer {token('limited', limits={'eventsPerSecond': 10})}\r\n\r\n".encode()
                            + bytes([0x81, 0x80 | len(request), 0, 0, 0, 0]) + request)
        head = self.socket.recv(65536)
        if not head.startswith(b"HTTP/1.1 101 "):
            raise RuntimeError(head.decode(errors="replace"))
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while self.socket.recv(65536):
            pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


def p99(bench, settings, has_limited):
    port = bench.free_port()
    with bench.start_gateway(port, (*options(False), "--history.enabled", "yes")) as server:
        limited = Limited(port) if has_limited else None
        command = bench.load_command("paced", port, {"pid": server.child.pid, **settings})
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=WAIT_S,
                              preexec_fn=bench.on_load_core)
        if limited:
            limited.close()
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)["p99Micros"]


def limited(bench, row, quick):
    """p99 of a thousand clients, one of them over its rate, by that without it; of two measurements each the lower counts."""
    settings = {"clients": 50 if quick else 999, "watched": 10, "rate": 500, "warmup_ms": 500, "measure_ms": 500 if quick else 4000}
    values = {False: [], True: []}
    for has_limited in (False, True, True, False):
        values[has_limited].append(p99(bench, settings, has_limited))
    row.add("batch", min(values[False]))
    row.add("gateway", min(values[True]))
    row.ratios.append(min(values[True]) / min(values[False]))


SCENARIOS = {
    "accept": (accept, "10,000 clients connect, each with an HS256 token of its own: connections/s; (b) is the gateway without authentication", "",
               "≥ 0.5 × (b)", lambda number: number >= 0.5),
    "limited": (limited, "1,000 clients, 500 events/s, one of them limited to 10 a second: p99 latency of the others; (b) is without that one", "µs",
                "≤ 1.1 × (b)", lambda number: number <= 1.1),
}
