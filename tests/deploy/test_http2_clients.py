"""Many clients on one connection of HTTP/2, as a proxy keeps them: each request counts in the name of its own client."""
import json
import os
import tempfile
import unittest

import http2
import support

# An answer that has come whole still holds its place for a moment: who asks often has no limit of places.
KEYS = {"keys": [{"id": name, "key": f"{name}-{name}-{name}-key", "limits": {"connections": 1}} for name in ("ann", "bob")]
        + [{"id": "cyd", "key": "cyd-cyd-cyd-key"}]}


def key(name):
    return ("x-api-key", f"{name}-{name}-{name}-key")


def forwarded(address):
    return ("x-forwarded-for", address)


class Http2Clients(unittest.TestCase):
    def setUp(self):
        self.redis = support.start_redis(self)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.keys = os.path.join(folder.name, "keys.json")
        with open(self.keys, "w", encoding="utf-8") as file:
            json.dump(KEYS, file)

    def start(self, *options, proxies="127.0.0.1"):
        self.node = support.start_node(self, self.redis.port, "--trusted_proxies", proxies, *options)
        self.connect_anew()

    def connect(self):
        connection = http2.Connection(self.node.port)
        self.addCleanup(connection.close)
        return connection

    def connect_anew(self):
        self.proxy, self.stream = self.connect(), -1

    def expect_no_room(self):
        self.assertNotIn(http2.SETTINGS, [kind for kind, *_ in self.connect().wait_for_end()])

    def ask(self, path, *more):
        """The stream and the beginning of the answer's body."""
        self.stream += 2
        self.proxy.send(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, self.stream, http2.get(path, *more))
        return self.stream, self.proxy.wait_for(http2.DATA, self.stream)[3].decode()

    def listen(self, *more):
        """The stream of events; None where it is refused for its number."""
        stream, body = self.ask("/v1/events?session=s1", *more)
        if "too_many_connections" in body:
            return None
        self.assertNotIn("error", body)
        return stream

    def leave(self, stream):
        self.proxy.send(http2.RST_STREAM, 0, stream, (8).to_bytes(4, "big"))

    def is_over_rate(self, *more):
        body = self.ask("/v1/sessions", *more)[1]
        self.assertTrue("rate_limited" in body or "sessions" in body, body)
        return "rate_limited" in body

    def test_each_stream_counts_for_the_address_of_its_client(self):
        self.start("--limits.connections_per_address", "2")
        first = self.listen(forwarded("192.0.2.1"))
        self.assertTrue(self.listen(forwarded("1.1.1.1, 192.0.2.1")))
        self.assertIsNone(self.listen(forwarded("192.0.2.1")))
        self.assertIsNone(self.listen(forwarded("::ffff:192.0.2.1")))
        self.assertTrue(self.listen(forwarded("192.0.2.2")))
        self.assertTrue(self.listen(forwarded("2001:db8::1")))
        self.assertTrue(self.listen(forwarded("2001:db8::2")))
        self.assertIsNone(self.listen(forwarded("2001:db8::3")))
        for _ in range(5):  # the proxy's own
            self.assertTrue(self.listen())
        self.leave(first)
        support.wait_for("a place is free", lambda: self.listen(forwarded("192.0.2.1")))
        self.assertEqual(support.metric(self.node.admin_port, "http2_connections"), 1)
        self.proxy.close()
        support.wait_for("all are gone", lambda: support.metric(self.node.admin_port, "http2_connections") == 0)
        self.connect_anew()
        for _ in range(2):
            self.assertTrue(self.listen(forwarded("192.0.2.1")))

    def test_nobody_but_a_proxy_says_whose_a_stream_is(self):
        self.start("--limits.connections_per_address", "1", proxies="10.0.0.0/8")
        for number in range(5):
            self.assertTrue(self.listen(forwarded(f"192.0.2.{number}")))
        self.expect_no_room()

    def test_each_stream_counts_for_the_identity_of_its_client(self):
        self.start("--auth.api_keys_file", self.keys)
        first = self.listen(key("ann"))
        self.assertIsNone(self.listen(key("ann")))
        self.assertTrue(self.listen(key("bob")))
        self.assertIsNone(self.listen(key("ann")))  # whom the newest stream of another client has not made room for
        self.leave(first)
        support.wait_for("ann has gone", lambda: self.listen(key("ann")))
        self.assertIsNone(self.listen(key("bob")))

    def test_whoever_shows_a_credential_makes_the_connection_known(self):
        self.start("--auth.api_keys_file", self.keys, "--auth.required", "yes", "--limits.unauthenticated", "1")
        self.assertIn("unauthenticated", self.ask("/v1/sessions")[1])
        self.expect_no_room()
        self.assertTrue(self.listen(key("ann")))
        self.connect_anew()
        self.assertIn("sessions", self.ask("/v1/sessions", key("bob"))[1])

    def test_each_client_has_a_rate_of_its_own(self):
        self.start("--auth.api_keys_file", self.keys, "--limits.commands_per_second", "2")
        for client in (forwarded("192.0.2.1"), forwarded("2001:db8::1"), key("cyd")):
            support.wait_for("it asks too often", lambda client=client: any(self.is_over_rate(client) for _ in range(20)))
            self.assertFalse(self.is_over_rate(forwarded("198.51.100." + str(self.stream % 250))))
        self.assertFalse(self.is_over_rate(key("bob")))
        for _ in range(20):
            self.assertFalse(self.is_over_rate())
        self.assertGreater(support.metric(self.node.admin_port, "commands_rate_limited_total"), 2)

    def test_a_client_of_its_own_connection_has_the_rate_of_its_address(self):
        self.start("--limits.commands_per_second", "2", proxies="10.0.0.0/8")
        support.wait_for("it asks too often", lambda: any(self.is_over_rate() for _ in range(20)))
        self.connect_anew()
        support.wait_for("so it does on another one", lambda: any(self.is_over_rate() for _ in range(20)))

    def test_the_log_names_the_client_of_each_request(self):
        self.start("--log.level", "info,wire=debug", "--log.format", "text")
        stream, _ = self.ask("/v1/events?session=s1", forwarded("192.0.2.1"))
        self.ask("/v1/sessions", forwarded("2001:db8::2"))
        self.ask("/v1/history?limit=none", forwarded("192.0.2.3"))
        self.leave(stream)
        self.node.wait_for_output("connection closed")
        lines = self.node.output.splitlines()
        for message, address in (("connection opened", "192.0.2.1"), ("answered", "2001:db8::2"), ("request refused", "192.0.2.3"),
                                 ("connection closed", "192.0.2.1")):
            said = [line for line in lines if message in line]
            self.assertEqual(len(said), 1, (message, said))
            self.assertTrue(said[0].endswith(f" address={address}"), said)


if __name__ == "__main__":
    support.main()
