"""Every example of docs/protocol.md and docs/time-travel.md is what a real node answers. A block is one connection: "> " is sent,
"< " must come next, "$ " is published in Redis; "< CLOSE code" is the end. What differs from run to run, and "<...>", is compared by its type. A block
of HTTP is a connection too: "> " lines are a request, "< " lines its status, its type and the lines of its body; of a stream, which has
no end, those that are not empty and no comments."""
import http.client
import itertools
import json
import re
import unittest

import support
import websocket

VARYING = {"sub", "ts", "now", "node", "client", "version"}


def blocks(kind, page="protocol.md"):
    with open(support.path("docs", page)) as file:
        return [block.strip().splitlines() for block in re.findall(rf"^```{kind}\n(.*?)^```$", file.read(), re.M | re.S)]


def is_as_written(real, written, name=""):
    if name in VARYING or written == "*" or re.fullmatch("<.*>", str(written)):
        return isinstance(real, type(written))
    if isinstance(written, dict) and isinstance(real, dict):
        return list(real) == list(written) and all(is_as_written(real[key], written[key], key) for key in written)
    if isinstance(written, list) and isinstance(real, list):
        return len(real) == len(written) and all(map(is_as_written, real, written))
    return type(real) is type(written) and real == written


class Protocol(unittest.TestCase):
    def expect(self, client, written):
        real = client.next()
        if "CLOSE" in (written[:5], real[:5]):
            self.assertEqual(real, written)
        else:
            self.assertTrue(is_as_written(json.loads(real), json.loads(written)), f"\nthe page says {written}\nthe node says {real}")

    def replay(self, lines, port, redis_port):
        client = websocket.WebSocket(port)
        self.addCleanup(client.socket.close)
        if not lines[0].startswith("< "):
            self.assertIn('"op":"welcome"', client.next())
        for line in lines:
            if line.startswith("> "):
                client.send(line[2:])
            elif line.startswith("< "):
                self.expect(client, line[2:])
            elif line.startswith("$ PUBLISH "):
                support.publish(redis_port, *line.split(" ", 3)[2:])
            else:
                self.fail(f"what is {line!r}?")

    def begin(self, connection, request):
        """Sends a request as the page writes it and gives the answer, and its status and type."""
        head, _, body = "\n".join(request).partition("\n\n")
        line, *fields = head.splitlines()
        connection.request(*line.split(" ", 1), body=body or None, headers=dict(field.split(": ", 1) for field in fields))
        answer = connection.getresponse()
        return answer, f"{answer.status} {answer.getheader('Content-Type')}"

    def expect_line(self, stream, written):
        real = ""
        while real == "" or real.startswith(":"):
            real = stream.readline().decode().rstrip("\n")
        (name, value), (written_name, written_value) = real.split(": ", 1), written.split(": ", 1)
        self.assertEqual(name, written_name, real)
        if name == "data":
            value, written_value = json.loads(value), json.loads(written_value)
        self.assertTrue(is_as_written(value, written_value), f"\nthe page says {written}\nthe node says {real}")

    def replay_stream(self, lines, port, redis_port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=support.DEADLINE_S)
        self.addCleanup(connection.close)
        request = [line[2:] for line in lines if line[0] == ">"]
        rest = lines[len(request):]
        stream, status = self.begin(connection, request)
        self.assertEqual("< " + status, rest.pop(0))
        for line in rest:
            if line.startswith("$ PUBLISH "):
                support.publish(redis_port, *line.split(" ", 3)[2:])
            else:
                self.expect_line(stream, line[2:])

    def replay_http(self, lines, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=support.DEADLINE_S)
        self.addCleanup(connection.close)
        groups = [[line[2:] for line in group] for _, group in itertools.groupby(lines, lambda line: line[0])]
        for request, (status, *written) in zip(groups[::2], groups[1::2]):
            answer, real_status = self.begin(connection, request)
            real = answer.read().decode().splitlines()
            self.assertEqual(real_status, status, real)
            self.assertEqual(len(real), len(written), real)
            for one, other in zip(real, written):
                self.assertTrue(is_as_written(json.loads(one), json.loads(other)), f"\nthe page says {other}\nthe node says {one}")

    def test_every_example_of_http_is_what_a_node_answers(self):
        redis = support.start_redis(self)
        node = support.start_node(self, redis.port)
        examples = blocks("http")
        self.assertGreater(len(examples), 2)
        for number, lines in enumerate(examples, 1):
            with self.subTest(example=number):
                if "< 200 text/event-stream" in lines:
                    self.replay_stream(lines, node.port, redis.port)
                else:
                    self.replay_http(lines, node.port)

    def test_every_example_is_what_a_node_answers(self):
        self.replay_all(blocks("json"))

    def test_every_example_of_time_travel_is_what_a_node_answers(self):
        self.replay_all(blocks("json", "time-travel.md"))

    def replay_all(self, examples):
        redis = support.start_redis(self)
        node = support.start_node(self, redis.port)
        self.assertGreater(len(examples), 5)
        for number, lines in enumerate(examples, 1):
            with self.subTest(example=number):
                self.replay(lines, node.port, redis.port)


if __name__ == "__main__":
    support.main()
