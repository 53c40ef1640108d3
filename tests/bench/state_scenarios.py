"""The scenarios of time travel, for bench.py: the state of a long session, for the first time and at random moments; its replay."""
import http.client
import json
import random
import socket
import statistics
import time

from log_scenarios import LOG_OPTIONS, WAIT_S, at_least, at_most, clean, loop, wait_until, websocket_request

SPANS = 200
MOMENTS = 1000


def payload_of(number, size=300):
    head = (f'{{"sessionId":"bench","type":"tool.call","spanId":"s{number % SPANS}",'
            f'"state":{{"n":{number},"durationMs":{number % 1000}.5,"done":false,"text":"')
    return (head + "x" * (size - len(head) - 3) + '"}}').encode()


def fill(redis, events, chunk=50000):
    for at in range(0, events, chunk):
        redis.publish([payload_of(number) for number in range(at, min(at + chunk, events))])
        wait_until("all is recorded", lambda: redis.ask("XLEN", "tg:session:bench") >= min(at + chunk, events), 0.01)


def ask(link, query):
    """Gives the answer and the seconds that it took."""
    start = time.perf_counter()
    link.request("GET", "/v1/state?session=bench" + query)
    answer = link.getresponse().read()
    return answer, time.perf_counter() - start


def state_cold(bench, row, quick):
    """Of a node that just started, without a snapshot in Redis."""
    events = 20000 if quick else 1000000
    redis = clean(bench)
    port = bench.free_port()
    with bench.start_gateway(port, LOG_OPTIONS):
        fill(redis, events)
    redis.ask("DEL", "tg:snap:bench")
    with bench.start_gateway(port, LOG_OPTIONS):
        bare = loop(bench, "read", bench.redis_port)
        answer, seconds = ask(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S), "")
    if json.loads(answer)["state"]["events"] != events:
        row.trouble.append("not all events are in the state")
    row.add("batch", bare)
    row.add("gateway", events / seconds)
    row.ratios.append(events / seconds / bare)


def state_warm(bench, row, quick):
    """Random moments of a session that somebody has looked at; (b) is the 99th percentile."""
    events = 20000 if quick else 1000000
    redis = clean(bench)
    port = bench.free_port()
    with bench.start_gateway(port, LOG_OPTIONS):
        fill(redis, events)
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        ask(link, "")
        first, last = (int(redis.ask(command, "tg:session:bench", *ends, "COUNT", 1)[0][0].split(b"-")[0])
                       for command, ends in (("XRANGE", "-+"), ("XREVRANGE", "+-")))
        chance = random.Random(1)
        times = sorted(1000 * ask(link, f"&at={chance.randint(first, last)}")[1] for _ in range(MOMENTS))
    p99 = times[len(times) * 99 // 100]
    if p99 > 40:
        row.trouble.append(f"99th percentile {p99:.1f} ms")
    row.add("batch", p99)
    row.add("gateway", statistics.median(times))
    row.ratios.append(statistics.median(times))


def play(port):
    """Plays the session as fast as it is read; gives the number of events that came."""
    events, rest, buffer = 0, b"", bytearray(1 << 20)
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as link:
        link.sendall(websocket_request(port, {"id": 1, "op": "replay", "session": "bench", "speed": "max", "filter": {},
                                              "channels": ["trace:*"]}))
        while b'"op":"replayEnd"' not in rest:
            count = link.recv_into(buffer)
            if not count:
                raise ConnectionError("the node hung up")
            events += buffer.count(b'{"id":"', 0, count)
            rest = rest[-100:] + bytes(buffer[max(0, count - 1000):count])
    return events


def replay_max(bench, row, quick):
    """Of a node that just started."""
    events = 20000 if quick else 1000000
    redis = clean(bench)
    port = bench.free_port()
    with bench.start_gateway(port, LOG_OPTIONS):
        fill(redis, events)
    with bench.start_gateway(port, LOG_OPTIONS):
        bare = loop(bench, "read", bench.redis_port)
        start = time.monotonic()
        came = play(port)
        rate = came / (time.monotonic() - start)
    if came < 0.99 * events:
        row.trouble.append(f"{came} of {events} came")
    row.add("batch", bare)
    row.add("gateway", rate)
    row.ratios.append(rate / bare)


SCENARIOS = {
    "state_cold": (state_cold, "the state of a session of 1,000,000 events for the first time: events/s; (b) is a bare XRANGE loop", "", "≥ 0.5 × (b)",
                   at_least(0.5)),
    "replay_max": (replay_max, "that session replayed at speed max: events/s; (b) is a bare XRANGE loop", "", "≥ 0.5 × (b)", at_least(0.5)),
    "state_warm": (state_warm, "the state of that session at random moments: median, (b) the 99th percentile", "ms", "≤ 10 ms", at_most(10)),
}
