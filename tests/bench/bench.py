#!/usr/bin/env python3
"""Measures the gateway against the yardstick and prints a table in Markdown.

    cmake --preset release && cmake --build --preset release --target bench
    tests/bench/bench.py --build build/release

One core for the server under test, another for Redis and the load generator. Every run measures the servers one after
the other, so that a slow minute of the machine hits all of them; what counts is the median of the runs' ratios.
docs/performance.md explains the scenarios and holds the last table (--page rewrites it there).
"""

import argparse
import fcntl
import http.client
import json
import os
import platform
import resource
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import compression_scenarios
import encoding_scenarios
import log_scenarios
import security_scenarios
import state_scenarios

READY_SECONDS = 10
# Beyond these a paced run was not paced: the events came in bursts, or the generator's core had no time to read.
LATE_MICROS = 2000  # p99 of how late events were published
BURST_MICROS = 5000  # median latency
EVEN_TRIES = 3
CONGESTION = Path("/proc/sys/net/ipv4/tcp_congestion_control")
OWN_NETWORK = "BENCH_OWN_NETWORK"  # not TRACEGATE_...: the gateway takes those for options
PAGE_START, PAGE_END = "<!-- bench: table -->", "<!-- bench: end -->"
SERVERS = {"each": "(a) each", "batch": "(b) batch", "gateway": "gateway"}


class Failed(Exception):
    """One measurement could not be made; the text says why."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A child pinned to one core that ends with its block."""

    def __init__(self, command, core, **streams):
        self.child = subprocess.Popen([str(part) for part in command],
                                      preexec_fn=lambda: os.sched_setaffinity(0, {core}), **streams)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.terminate()
        try:
            self.child.wait(timeout=READY_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def await_ready(self, is_ready):
        for _ in range(READY_SECONDS * 20):
            if is_ready():
                return
            try:
                self.child.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            break
        raise Failed(f"{self.child.args[0]} did not get ready")


def answers_ping(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as link:
            link.sendall(b"PING\r\n")
            return link.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def is_http_ready(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def private_bytes(pid):
    """What the process has for itself, shared libraries not counted; the kernel's socket buffers are not in it."""
    total = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(("Private_Clean:", "Private_Dirty:")):
            total += int(line.split()[1]) * 1024
    return total


class Bench:
    free_port, private_bytes = staticmethod(free_port), staticmethod(private_bytes)

    def __init__(self, options):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            sys.exit("bench.py needs two cores: one for the server, one for the generator and Redis")
        self.server_core, self.load_core = cores[0], cores[1]
        self.options = options
        self.programs = Path(options.build) / "bench"
        self.gateway = options.gateway or Path(options.build) / "bin" / "tracegate"
        self.redis_port = free_port()

    def on_load_core(self):
        os.sched_setaffinity(0, {self.load_core})

    def redis(self):
        command = ["redis-server", "--port", self.redis_port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        redis = Process(command, self.load_core, stdout=subprocess.DEVNULL, cwd=tempfile.gettempdir())
        redis.await_ready(lambda: answers_ping(self.redis_port))
        return redis

    def start_yardstick(self, mode, port):
        server = Process([self.programs / "yardstick", port, self.redis_port, mode], self.server_core,
                         stdout=subprocess.PIPE)
        if server.child.stdout.readline() != b"ready\n":
            raise Failed("the yardstick did not get ready")
        return server

    def start_gateway(self, port, log_options=("--history.enabled", "no")):
        admin = free_port()
        server = Process([self.gateway, "--preset", "development", "--workers", 1, "--log.level", "warn",
                          "--listen", f"127.0.0.1:{port}", "--admin.listen", f"127.0.0.1:{admin}",
                          "--redis.url", f"redis://127.0.0.1:{self.redis_port}",
                          "--limits.commands_per_second", 0, "--limits.subscriptions", 0, "--drain.time", "0s", *log_options],
                         self.server_core)
        server.await_ready(lambda: is_http_ready(admin))
        return server

    def start(self, name, port):
        if name == "log":
            return self.start_gateway(port, log_scenarios.LOG_OPTIONS)
        return self.start_gateway(port) if name == "gateway" else self.start_yardstick(name, port)

    def load_command(self, mode, port, settings):
        command = [self.programs / "load", mode, "--port", port, "--redis-port", self.redis_port]
        for name, value in settings.items():
            command += ["--" + name.replace("_", "-"), value]
        return command

    def measure(self, server_name, mode, settings):
        """A paced run in which events came in bursts is made again: servers take bursts in fewer and larger pieces, so its
        numbers compare with no other's."""
        for _ in range(1 if self.options.quick else EVEN_TRIES):
            result = self.measure_once(server_name, mode, settings)
            result["uneven"] = mode in ("paced", "unwanted") and (
                result["lateP99Micros"] > LATE_MICROS or result["p50Micros"] > BURST_MICROS)
            if not result["uneven"]:
                break
        return result

    def measure_once(self, server_name, mode, settings):
        port = free_port()
        with self.start(server_name, port) as server:
            command = self.load_command(mode, port, {"pid": server.child.pid, **settings})
            with Process(command, self.load_core, stdout=subprocess.PIPE) as load:
                output = load.child.stdout.read()
                if load.child.wait() != 0 or not output:
                    raise Failed(f"{SERVERS.get(server_name, server_name)}: the load generator failed")
        result = json.loads(output)
        if result["broken"] and server_name != "each":
            raise Failed(f"{SERVERS.get(server_name, server_name)}: {result['broken']} broken frames or connections")
        return result

    def measure_idle(self, settings):
        """Bytes of process memory for each connection of the gateway."""
        port = free_port()
        with self.start("gateway", port) as server:
            before = private_bytes(server.child.pid)
            command = self.load_command("idle", port, settings)
            with Process(command, self.load_core, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as load:
                if load.child.stdout.readline() != b"open\n":
                    raise Failed("gateway: the connections did not open")
                after = private_bytes(server.child.pid)
                load.child.stdin.close()
                if json.loads(load.child.stdout.read())["broken"]:
                    raise Failed("gateway: idle connections broke")
        return (after - before) / settings["clients"]


@dataclass
class Row:
    """One line of the table: the runs' numbers by column, and the runs' ratios."""
    title: str
    target: str
    unit: str = ""
    columns: dict = field(default_factory=dict)
    ratios: list = field(default_factory=list)
    trouble: list = field(default_factory=list)
    reached: object = None  # the median ratio -> bool

    def add(self, column, value):
        self.columns.setdefault(column, []).append(value)

    def cell(self, column):
        values = self.columns.get(column)
        return f"{show(statistics.median(values))} {self.unit}".strip() if values else ""

    def cells(self):
        ratio, verdict = "", "missed"
        if self.ratios:
            middle = statistics.median(self.ratios)
            ratio = f"**{show(middle)}**"
            if len(self.ratios) > 1:
                ratio += f" ({show(min(self.ratios))} to {show(max(self.ratios))})"
            verdict = "ok" if self.reached(middle) and not self.trouble else "missed"
        if self.trouble:
            verdict += ": " + self.trouble[0]
        return [self.title, *(self.cell(name) for name in SERVERS), ratio, self.target, verdict]


def show(number):
    if number >= 1e6:
        return f"{number / 1e6:.2f} M"
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def note_unevenness(bench, row, name, result):
    if result["uneven"] and name != "each" and not bench.options.quick:
        row.trouble.append(f"{SERVERS[name]}: events came in bursts, or were not read in time "
                           f"(published late by {result['lateP99Micros'] / 1000:.1f} ms, "
                           f"median latency {result['p50Micros'] / 1000:.1f} ms)")


def compare(bench, row, mode, settings, key, scale=1.0, lossless=True):
    """One run of all servers; the ratio is the gateway's number by (b)'s."""
    values = {}
    for name in SERVERS:
        result = bench.measure(name, mode, settings)
        note_unevenness(bench, row, name, result)
        values[name] = result[key] * scale
        row.add(name, values[name])
        if name != "each" and lossless and result["lost"]:
            row.trouble.append(f"{SERVERS[name]} lost {result['lost']}")
    row.ratios.append(values["gateway"] / values["batch"])


def fanout(bench, row, quick):
    settings = {"clients": 100 if quick else 1000, "watched": 10, "warmup_ms": 200 if quick else 1000,
                "measure_ms": 500 if quick else 4000}
    compare(bench, row, "flood", settings, "deliveriesPerSecond")


def paced(bench, row, quick):
    settings = {"clients": 10 if quick else 100, "rate": 10000, "warmup_ms": 200 if quick else 1000,
                "measure_ms": 500 if quick else 4000}
    compare(bench, row, "paced", settings, "p99Micros")


def lone(bench, row, quick):
    compare(bench, row, "lone", {"clients": 1, "count": 200 if quick else 2000}, "p50Micros")


def sessions(bench, row, quick):
    settings = {"clients": 200 if quick else 5000, "sessions": 20 if quick else 500, "watched": 10, "rate": 10000, "rest_ms": 400,
                "warmup_ms": 200 if quick else 1000, "measure_ms": 500 if quick else 4000}
    compare(bench, row, "paced", settings, "cpuMicrosPerEvent")


def unwanted(bench, row, quick):
    """The ratio is the cost with many subscriptions by the cost with 10, on the gateway; of two measurements each, in an order
    that is fair to both, the lower counts."""
    settings = {"clients": 10 if quick else 100, "rate": 10000, "warmup_ms": 200 if quick else 1000,
                "measure_ms": 500 if quick else 4000}
    many = 200 if quick else 10000
    cost = {10: [], many: []}
    for count in (10, many, many, 10):
        result = bench.measure("gateway", "unwanted", {**settings, "subscriptions": count})
        note_unevenness(bench, row, "gateway", result)
        cost[count].append(result["cpuMicrosPerEvent"])
    row.add("gateway", min(cost[many]))
    row.ratios.append(min(cost[many]) / min(cost[10]))


def idle(bench, row, quick):
    measure_memory(bench, row, {"clients": 500 if quick else 10000, "sessions": 0})


def idle_subscribed(bench, row, quick):
    measure_memory(bench, row, {"clients": 500 if quick else 10000, "sessions": 1})


def measure_memory(bench, row, settings):
    kib = bench.measure_idle(settings) / 1024
    row.add("gateway", kib)
    row.ratios.append(kib)


def at_least(limit):
    return lambda number: number >= limit


def below(limit):
    return lambda number: number < limit


SCENARIOS = {
    "fanout": (fanout, "1,000 clients, one channel, as fast as it goes: deliveries/s", "", "≥ 0.8 × (b)", at_least(0.8)),
    "paced": (paced, "100 clients, 10,000 events/s, nothing lost: p99 latency", "µs", "< 1.5 × (b)", below(1.5)),
    "lone": (lone, "one lone event: median latency", "µs", "< 1.5 × (b)", below(1.5)),
    "sessions": (sessions, "5,000 clients on 500 sessions, each its own, 10,000 events/s: CPU an event", "µs",
                 "< 1.4 × (b)", below(1.4)),
    "unwanted": (unwanted, "an event nobody wants: CPU with 10,000 distinct subscriptions by CPU with 10", "µs",
                 "0.8 to 1.2", lambda number: 0.8 <= number <= 1.2),
    "idle": (idle, "10,000 idle connections: memory of each", "KiB", "< 3 KiB", below(3)),
    "idle_subscribed": (idle_subscribed, "10,000 idle connections, each subscribed: memory of each", "KiB", "< 3 KiB",
                        below(3)),
    **log_scenarios.SCENARIOS,
    **state_scenarios.SCENARIOS,
    **security_scenarios.SCENARIOS,
    **encoding_scenarios.SCENARIOS,
    **compression_scenarios.SCENARIOS,
}


def first_line(path, start):
    for line in Path(path).read_text().splitlines():
        if line.startswith(start):
            return line.split(":", 1)[1].strip()
    return "?"


def describe(options):
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    version = next((word[2:] for word in redis.split() if word.startswith("v=")), "?")
    kind = "smoke run, its numbers mean nothing" if options.quick else f"medians of {options.runs} runs"
    congestion = CONGESTION.read_text().strip()
    return (f"{first_line('/proc/cpuinfo', 'model name')}, Linux {platform.release()}, TCP {congestion}, "
            f"Redis {version}; {kind}.")


def table(rows, options):
    heads = ["what", *SERVERS.values(), "ratio", "target", "result"]
    lines = [describe(options), "", "| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    lines += ["| " + " | ".join(row.cells()) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def rewrite_page(path, text):
    page = Path(path).read_text()
    before, rest = page.split(PAGE_START)
    _, after = rest.split(PAGE_END)
    Path(path).write_text(f"{before}{PAGE_START}\n{text}{PAGE_END}{after}")


def run(bench, options):
    names = options.only or list(SCENARIOS)
    rows = {}
    for name in names:
        _, title, unit, target, reached = SCENARIOS[name]
        rows[name] = Row(title, target, unit, reached=reached)
    for number in range(options.runs):
        for name in names:
            try:
                SCENARIOS[name][0](bench, rows[name], options.quick)
            except (Failed, TimeoutError, subprocess.CalledProcessError) as error:
                rows[name].trouble.append(str(error))
            print(f"run {number + 1} {name}: {' | '.join(rows[name].cells()[1:])}", file=sys.stderr)
    return list(rows.values())


def enter_own_network():
    """Starts this program again in a network of its own, where it may choose the congestion control: one that paces what it sends
    by estimates (bbr) turns even events into bursts on loopback, now for one server, now for the other. Where that is not
    allowed, the system's network is used as it is."""
    if os.environ.get(OWN_NETWORK):
        set_up_own_network()
        return
    ways = [["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]]
    for way in ways:
        try:
            if subprocess.run([*way, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
                os.execvpe(way[0], [*way, sys.executable, *sys.argv], {**os.environ, OWN_NETWORK: "1"})
        except FileNotFoundError:
            return


def set_up_own_network():
    get_flags, set_flags, is_up = 0x8913, 0x8914, 0x1  # netdevice(7): SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = fcntl.ioctl(control, get_flags, struct.pack("16sh22x", b"lo", 0))
        flags = struct.unpack_from("16sh", request)[1]
        fcntl.ioctl(control, set_flags, struct.pack("16sh22x", b"lo", flags | is_up))
    try:
        CONGESTION.write_text("reno\n")
    except OSError as error:
        print(f"the congestion control stays as it is: {error}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build", help="build folder with bench/ and bin/ (default: build)")
    parser.add_argument("--gateway", help="the gateway to measure (default: <build>/bin/tracegate)")
    parser.add_argument("--runs", type=int, help="runs of each scenario (default: 5; 1 with --quick)")
    parser.add_argument("--only", action="append", choices=list(SCENARIOS), help="this scenario; may be repeated")
    parser.add_argument("--quick", action="store_true", help="a smoke run with few clients; its numbers mean nothing")
    parser.add_argument("--output", help="also write the table to this file")
    parser.add_argument("--page", help="also replace the table in this page (docs/performance.md)")
    options = parser.parse_args()
    options.runs = options.runs or (1 if options.quick else 5)
    enter_own_network()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    bench = Bench(options)
    with bench.redis():
        rows = run(bench, options)
    text = table(rows, options)
    print(text, end="")
    if options.output:
        Path(options.output).write_text(text)
    if options.page:
        rewrite_page(options.page, text)
    return 0 if all(row.cells()[-1] == "ok" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
