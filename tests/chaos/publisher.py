"""Publishes numbered events with nothing but PUBLISH, at a rate, until its standard input closes; then prints what Redis
answered, behind a line that says that it began: {"heard": [numbers that some subscriber was sent], "unheard": [...], "unknown": [no answer came]}.
Of several ports it takes the next one where the present one does not answer any more.

    publisher.py <Redis port>[,<port>...] <events a second> <first number> [<payload that is always the same>]
"""
import json
import select
import sys
import time

import redis

TICK_S = 0.005
SESSIONS = 5


def payload_of(number, fixed):
    if fixed:
        return fixed
    return json.dumps({"sessionId": f"s{number % SESSIONS}", "type": "tool.call", "n": number, "text": "x" * 80})


def is_over(wait_s):
    return bool(select.select([sys.stdin], [], [], max(0, wait_s))[0])


class Publisher:
    def __init__(self, ports, fixed):
        self.ports, self.fixed, self.client = ports, fixed, None
        self.results = {"heard": [], "unheard": [], "unknown": []}

    def publish(self, numbers):
        waiting = list(numbers)
        try:
            if not self.client:
                self.client = redis.Client(self.ports[0])
            self.client.socket.sendall(b"".join(
                redis.Client.pack("PUBLISH", f"trace:c{number % SESSIONS}", payload_of(number, self.fixed)) for number in numbers))
            for number in numbers:
                answer = self.client.reply()
                waiting.pop(0)
                if isinstance(answer, redis.Refused):
                    answer = 0
                self.results["heard" if answer > 0 else "unheard"].append(number)
        except OSError:
            self.client = None
            self.ports.append(self.ports.pop(0))
            self.results["unknown"] += waiting


def main():
    ports, rate, number = [int(port) for port in sys.argv[1].split(",")], int(sys.argv[2]), int(sys.argv[3])
    publisher = Publisher(ports, sys.argv[4] if len(sys.argv) > 4 else None)
    publisher.publish([])
    print("publishing", flush=True)
    start = time.monotonic()
    sent = 0
    while not is_over(start + sent / rate + TICK_S - time.monotonic()):
        due = min(int((time.monotonic() - start) * rate) - sent, 500)
        if due > 0:
            publisher.publish(range(number, number + due))
            number += due
            # After a pause of Redis what was missed is not made up for.
            sent = max(sent + due, int((time.monotonic() - start) * rate) - rate // 10)
    json.dump(publisher.results, sys.stdout)


if __name__ == "__main__":
    main()
