"""Three nodes on one Redis, a publisher that only PUBLISHes, clients that wander between the nodes; and the judgement afterwards:
what the log holds, and whether what each client saw is the log."""
import json
import os
import random
import subprocess
import sys

import publisher
import redis
import support

HERE = os.path.dirname(os.path.abspath(__file__))
RATE = int(os.environ.get("CHAOS_RATE", "10000"))
NODE_OPTIONS = ("--preset", "test", "--log.level", "warn", "--history.max_events", "0", "--session.max_events", "0")
SUBSCRIPTIONS = ({"channels": ["trace:*"]}, {"filter": {"session": ["s3"]}}, {"filter": {"type": ["tool.*", "end"], "session": ["s1", "s3"]}})


class Script:
    """One of this folder's programs, which ends when its input closes or by itself and prints JSON."""

    def __init__(self, test, name, *arguments):
        self.child = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, name), *map(str, arguments)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        test.addCleanup(self.kill)

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.communicate()

    def result(self):
        output = self.child.communicate(timeout=120)[0]
        return json.loads(output.decode().splitlines()[-1])


class Fleet:
    def __init__(self, test, *, server=None, nodes=3, through=None, options=()):
        self.test = test
        self.redis = server or redis.Server(test)
        self.random = random.Random(os.environ.get("CHAOS_SEED", test.id()))
        self.options = (*NODE_OPTIONS, *options)
        ways = through or [self.redis.port] * nodes
        self.nodes = []
        for way in ways:
            self.add_node(way)
        support.wait_for("a recorder", lambda: self.recorder() is not None)
        self.next_number = 0
        self.published = {"heard": [], "unheard": [], "unknown": []}
        self.wanderers = []

    def add_node(self, way):
        self.nodes.append(support.start_node(self.test, way, *self.options))
        return self.nodes[-1]

    def restart(self, node):
        """Kills it and starts it again at once on its ports, as what runs containers does; does not wait until it is ready."""
        node.child.kill()
        node.child.wait()
        at = self.nodes.index(node)
        self.nodes[at] = support.launch_node(self.test, node.redis, node.port, *self.options)

    def alive(self):
        return [node for node in self.nodes if node.child.poll() is None]

    def recorder(self):
        """The node that records; None: none says so."""
        for node in self.alive():
            status, body = support.http_get(node.admin_port, "/v1/node")
            if status == 200 and json.loads(body)["recorder"]:
                return node
        return None

    def wander(self, visit_s=1.0, subscriptions=SUBSCRIPTIONS):
        ports = [node.port for node in self.nodes]
        for at, subscription in enumerate(subscriptions):
            wanderer = Script(self.test, "wanderer.py", f"{self.test.id()} {at}", visit_s, json.dumps(subscription), *ports)
            wanderer.subscription = subscription
            wanderer.child.stdout.readline()
            self.wanderers.append(wanderer)

    def publish_during(self, trouble, *, rate=RATE, before_s=1.0, after_s=2.0, payload=None, ports=None):
        """Publishes all the while: a quiet moment, the trouble, another moment. ports: of the servers to publish to, where there are
        several, with commas."""
        arguments = [ports or self.redis.port, rate, self.next_number] + ([payload] if payload else [])
        publisher = Script(self.test, "publisher.py", *arguments)
        publisher.child.stdout.readline()
        support.let_pass(before_s)
        trouble()
        support.let_pass(after_s)
        result = publisher.result()
        for name, numbers in result.items():
            self.published[name] += numbers
        self.next_number = 1 + max(max(numbers, default=0) for numbers in self.published.values())

    def numbers_in_log(self):
        client = self.redis.client()
        self.entries = [(name, json.loads(payload).get("n")) for name, payload in client.entries("tg:log")]
        client.close()
        return [number for _, number in self.entries if number is not None]

    def settle(self):
        """Waits until nothing is on its way into the log and all nodes are ready."""
        for node in self.alive():
            support.wait_for("the node is ready", lambda: support.http_get(node.admin_port, "/readyz")[0] == 200)
            support.wait_for("nothing is pending", lambda: support.metric(node.admin_port, "pending_events") == 0)

    def end(self):
        """Publishes the last event, of all sessions that are watched, and gives what each wanderer saw."""
        self.settle()
        for session in ("s1", "s3"):
            self.redis.ask("PUBLISH", "trace:end", json.dumps({"sessionId": session, "type": "end", "end": session}) if session == "s3"
                           else json.dumps({"sessionId": session, "type": "end"}))
        self.settle()
        return [wanderer.result() for wanderer in self.wanderers]

    def check_log(self, *, may_miss=()):
        """Each event that some node heard is in the log, exactly once."""
        numbers = self.numbers_in_log()
        self.test.assertEqual(len(numbers), len(set(numbers)), f"twice in the log: {doubles(numbers)[:10]}")
        missing = sorted(set(self.published["heard"]) - set(numbers) - set(may_miss))
        self.test.longMessage = False
        self.test.assertFalse(missing, f"{len(missing)} of {len(numbers)} heard and not in the log: {runs(missing)}")
        self.test.assertGreater(len(numbers), 0)

    def wanted(self, subscription):
        """The log's entries that a subscription wants."""
        return [(name, number) for name, number in self.entries if number is None or is_wanted(subscription, number)]

    def check_order(self):
        """The events of each channel are in the log in the order in which they were published."""
        channels = {}
        client = self.redis.client()
        for _, payload in client.entries("tg:log"):
            number = json.loads(payload).get("n")
            if number is not None:
                channels.setdefault(number % publisher.SESSIONS, []).append(number)
        client.close()
        for numbers in channels.values():
            late = [(before, after) for before, after in zip(numbers, numbers[1:]) if after < before]
            self.test.assertFalse(late, f"{len(late)} times out of order: {late[:5]}")

    def check_clients(self, seen, *, gaps=()):
        """Each client saw the log from its start, in order, once, or was told by a gap of one of these reasons."""
        self.numbers_in_log()
        for wanderer, saw in zip(self.wanderers, seen):
            self.check_client(wanderer.subscription, saw, gaps)

    def check_client(self, subscription, saw, reasons):
        test = self.test
        test.assertTrue(saw["is_done"], f"never saw the end: {saw['visits']} visits, {saw['refusals'][-3:]}, {saw['events'][-1:]}")
        told = {gap["reason"] for _, gap in saw["gaps"]}
        test.assertLessEqual(told, set(reasons), f"told of a gap: {saw['gaps'][:3]}")
        events = saw["events"]
        resets = [at for at, gap in saw["gaps"] if gap["reason"] == "reset"]
        for begin, end in zip([0, *resets], [*resets, len(events)]):
            with_id = [name for name, _ in events[begin:end] if name]
            test.assertEqual(with_id, sorted(set(with_id), key=key_of), "out of order or twice")
        without_id = {number for name, number in events if not name}
        start = saw["start"] or "0-0"
        got = {name for name, _ in events if name}
        missing = [(name, number) for name, number in self.wanted(subscription)
                   if key_of(name) > key_of(start) and name not in got and number not in without_id and number is not None]
        missing = [(name, number) for name, number in missing if not is_told(name, saw["gaps"])]
        test.assertFalse(missing, f"{len(missing)} missing after {start}, from {missing[:5]}; gaps {saw['gaps'][:5]}")


def is_wanted(subscription, number):
    """By the rule of the payloads that publisher.py makes."""
    sessions = subscription.get("filter", {}).get("session")
    return not sessions or f"s{number % 5}" in sessions


def key_of(name):
    milliseconds, sequence = name.split(".")[0].split("-")
    return int(milliseconds), int(sequence)


def runs(numbers):
    """Sorted numbers as the runs that they make: "3-7 12"."""
    ends = [number for at, number in enumerate(numbers) if at + 1 == len(numbers) or numbers[at + 1] != number + 1]
    starts = [number for at, number in enumerate(numbers) if at == 0 or numbers[at - 1] != number - 1]
    return " ".join(f"{start}-{end}" for start, end in zip(starts, ends))


def doubles(numbers):
    seen = set()
    return [number for number in numbers if number in seen or seen.add(number)]


def is_told(name, gaps):
    """Whether a gap covers the entry: what was lost lies between after and before, where they are known."""
    for _, gap in gaps:
        after, before = gap.get("after"), gap.get("before")
        if gap["reason"] in ("trimmed", "slow", "rate") and after and before and key_of(after) < key_of(name) < key_of(before):
            return True
    return False
