"""HTTP/2 with clients that others wrote (curl), and with frames by hand where no such client misbehaves enough."""
import json
import select
import subprocess
import tempfile
import time
import unittest

import http2
import support

EVENT = '{"sessionId":"s1","type":"tool.call","text":"%s"}'


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "--max-time", "20", *arguments], capture_output=True, text=True)
    return done.stdout, done.stderr


class Http2(unittest.TestCase):
    def setUp(self):
        self.redis = support.start_redis(self)

    def start(self, *options):
        self.node = support.start_node(self, self.redis.port, *options)
        self.base = f"http://127.0.0.1:{self.node.port}"
        return self.node

    def connect(self, **options):
        connection = http2.Connection(self.node.port, **options)
        self.addCleanup(connection.close)
        return connection

    def publish(self, text="x", count=1):
        for _ in range(count):
            support.publish(self.redis.port, "trace:s1", EVENT % text)

    def recorded(self, count):
        support.wait_for("the log holds it", lambda: len(self.history()) == count)

    def history(self):
        return json.loads(curl(f"{self.base}/v1/history?session=s1&limit=100000")[0])["events"]

    def ask_in_vain(self, connection, kind, payload):
        """Request after request, each with a frame behind it that ends it."""
        try:
            for stream in range(1, 20001, 2):
                connection.send(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream, http2.get("/v1/events?session=s1"))
                connection.send(kind, 0, stream, payload)
        except OSError:
            pass

    def test_curl_reads_history_and_publishes(self):
        self.start("--limits.commands_per_second", "0")
        self.publish("one")
        self.recorded(1)
        out, _ = curl("-i", f"{self.base}/v1/history?session=s1")
        self.assertTrue(out.startswith("HTTP/2 200"), out)
        self.assertNotIn("transfer-encoding", out.lower())
        self.assertIn(EVENT % "one", out)
        body = json.dumps({"channel": "trace:s1", "data": {"n": 1}})
        self.assertIn('"id"', curl("--json", body, f"{self.base}/v1/publish")[0])
        self.recorded(2)
        lines = "".join(json.dumps({"channel": "trace:s1", "data": {"n": n}}) + "\n" for n in range(2000))
        out, _ = curl("-H", "Content-Type: application/x-ndjson", "-H", "Expect: 100-continue", "--data-binary", lines,
                      f"{self.base}/v1/publish")
        self.assertEqual(out.count('"id"'), 2000)
        self.recorded(2002)

    def test_errors_have_the_status_and_body_of_http1(self):
        self.start()
        for path, status in (("/v1/nothing", 404), ("/v1/history?from=x", 400), ("/v1/stream", 404)):
            out, _ = curl("-i", self.base + path)
            self.assertTrue(out.startswith(f"HTTP/2 {status}"), out)
            self.assertIn('{"error":{"code":', out)
        out, _ = curl("-i", "-X", "PUT", self.base + "/v1/history")
        self.assertTrue(out.startswith("HTTP/2 405") and "allow: GET" in out, out)
        out, _ = curl("-I", self.base + "/v1/history?session=s1")
        self.assertTrue(out.startswith("HTTP/2 200"), out)
        out, _ = curl("-i", "-H", "X: " + "x" * 20000, self.base + "/v1/sessions")
        self.assertTrue(out.startswith("HTTP/2 431"), out[:200])

    def test_a_page_that_may_read_answers_may_read_errors_too(self):
        origin = "https://app.example.com"
        self.start("--cors.origins", origin)
        for status, *more in ((404, "/v1/nothing"), (405, "/v1/history", "-X", "PUT"), (431, "/v1/history", "-H", "X: " + "x" * 20000),
                              (431, "/v1/history?filter=" + "x" * 20000), (414, "/v1/history?filter=" + "x" * 13000)):
            out, _ = curl("-i", "-H", f"Origin: {origin}", *more[1:], self.base + more[0])
            self.assertTrue(out.startswith(f"HTTP/2 {status}"), out[:200])
            self.assertIn(f"access-control-allow-origin: {origin}", out)
            out, _ = curl("-i", "-H", "Origin: https://evil.io", *more[1:], self.base + more[0])
            self.assertNotIn("access-control-allow-origin", out)

    def test_many_event_streams_share_a_connection(self):
        self.start()
        watcher = self.connect()
        for stream in range(1, 100, 2):
            watcher.send(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream, http2.get("/v1/events?session=s1"))
        support.wait_for("all listen", lambda: support.metric(self.node.admin_port, "subscriptions") == 50)
        self.assertEqual(support.metric(self.node.admin_port, "http2_connections"), 1)
        self.publish("shared")
        told = set()
        while len(told) < 50:
            _, _, stream, payload = watcher.wait_for(http2.DATA)
            if EVENT % "shared" in payload.decode():
                told.add(stream)
        watcher.send(http2.RST_STREAM, 0, 1, (8).to_bytes(4, "big"))
        support.wait_for("one is gone", lambda: support.metric(self.node.admin_port, "subscriptions") == 49)
        watcher.close()
        support.wait_for("all are gone", lambda: support.metric(self.node.admin_port, "subscriptions") == 0 and
                         support.metric(self.node.admin_port, "http_requests_under_way") == 0 and
                         support.metric(self.node.admin_port, "http2_connections") == 0)

    def test_a_stream_that_is_not_read_holds_up_no_other(self):
        self.start("--http.timeout", "2s")
        self.publish("y" * 2000, 40)
        self.recorded(40)
        slow = self.connect(window=100)
        slow.send(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 1, http2.get("/v1/history?session=s1"))
        slow.send(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 3, http2.get("/v1/history?session=s1"))
        slow.send(http2.WINDOW_UPDATE, 0, 3, (1 << 20).to_bytes(4, "big"))
        length = 0
        while True:
            kind, flags, stream, payload = slow.frame()
            if kind == http2.DATA and stream == 3:
                length += len(payload)
                slow.send(http2.WINDOW_UPDATE, 0, 0, len(payload).to_bytes(4, "big")) if payload else None
                if flags & http2.END_STREAM:
                    break
        self.assertGreater(length, 40 * 2000)
        self.assertEqual(slow.wait_for(http2.RST_STREAM, 1)[3], (8).to_bytes(4, "big"))
        self.assertEqual(support.metric(self.node.admin_port, "http_stalled_total"), 1)

    def test_all_streams_go_on_when_the_connection_takes_more_again(self):
        self.start("--limits.commands_per_second", "0")
        self.publish("y" * 2000, 1500)
        self.recorded(1500)
        shared = self.connect(window=(1 << 31) - 1, receive_bytes=4096)
        shared.send(http2.WINDOW_UPDATE, 0, 0, (1 << 30).to_bytes(4, "big"))
        shared.send(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 1, http2.get("/v1/events?session=s1"))
        shared.wait_for(http2.DATA, 1)
        downloads = [3, 5, 7]
        for stream in downloads:
            shared.send(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream, http2.get("/v1/history?session=s1&limit=100000",
                        ("accept", "application/x-ndjson")))
        support.wait_for("all are begun", lambda: support.metric(self.node.admin_port, "http_requests_under_way") == 4)
        self.publish("meanwhile")  # while the connection takes nothing
        ended, heard = set(), b""
        while len(ended) < len(downloads) or EVENT % "meanwhile" not in heard.decode():
            _, flags, stream, payload = shared.wait_for(http2.DATA)
            heard += payload if stream == 1 else b""
            if flags & http2.END_STREAM:
                ended.add(stream)
        self.publish("afterwards")
        while EVENT % "afterwards" not in shared.wait_for(http2.DATA, 1)[3].decode():
            pass

    def test_whoever_takes_back_request_after_request_is_sent_away(self):
        self.start()
        hasty = self.connect()
        self.ask_in_vain(hasty, http2.RST_STREAM, (8).to_bytes(4, "big"))
        # nghttp2 may find it too much before the gateway does, with a code of its own.
        for goaway in [frame for frame in hasty.wait_for_end() if frame[0] == http2.GOAWAY]:
            self.assertIn(goaway[3][4:8], [(11).to_bytes(4, "big"), (2).to_bytes(4, "big")])
        support.wait_for("nothing is left", lambda: support.metric(self.node.admin_port, "http2_connections") == 0 and
                         support.metric(self.node.admin_port, "subscriptions") == 0)
        self.publish("after")
        self.recorded(1)

    def test_whoever_makes_us_take_back_request_after_request_is_sent_away(self):
        self.start("--limits.commands_per_second", "0")
        sly = self.connect()
        self.ask_in_vain(sly, http2.WINDOW_UPDATE, (0x7fffffff).to_bytes(4, "big"))
        sly.wait_for_end()
        self.assertLess(support.metric(self.node.admin_port, 'http_requests_total{status="2xx"}'), 3000)

    def test_whoever_makes_much_to_be_said_and_reads_nothing_is_cut_off(self):
        self.start()
        deaf = self.connect(receive_bytes=4096)
        before = support.metric(self.node.admin_port, "memory_used_bytes")
        heads = b"".join(http2.frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream, b"\x82") for stream in range(1, 800001, 2))
        with self.assertRaises(OSError):
            deaf.socket.sendall(heads)
        support.wait_for("it is gone", lambda: support.metric(self.node.admin_port, "http2_connections") == 0)
        self.assertLess(support.metric(self.node.admin_port, "memory_used_bytes") - before, 32 << 20)

    def test_whoever_shows_no_credential_does_not_keep_its_place(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as keys:
            json.dump({"keys": [{"id": "ann", "key": "the-key-of-ann"}]}, keys)
            keys.flush()
            self.start("--auth.required", "yes", "--auth.api_keys_file", keys.name, "--handshake.timeout", "1s",
                       "--limits.commands_per_second", "0")
        known = self.connect()
        stranger = self.connect()
        begun, stream = time.monotonic(), 1
        try:
            while time.monotonic() - begun < 10:
                stranger.send(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream, http2.get("/v1/sessions"))
                known.send(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream,
                           http2.get("/v1/sessions", ("x-api-key", "the-key-of-ann")))
                known.wait_for(http2.DATA, stream)
                stranger.wait_for(http2.DATA, stream)
                stream += 2
        except (OSError, AssertionError):
            pass
        self.assertLess(time.monotonic() - begun, 3)
        known.send(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream + 2, http2.get("/v1/sessions", ("x-api-key", "the-key-of-ann")))
        known.wait_for(http2.DATA, stream + 2)

    def test_hostile_frames_end_their_connection_alone(self):
        self.start()
        bystander = self.connect()
        bystander.send(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 1, http2.get("/v1/events?session=s1"))
        bystander.wait_for(http2.DATA, 1)
        hostile = [
            (http2.DATA, 0, 1, b"no such stream"),
            (http2.HEADERS, http2.END_HEADERS, 2, http2.get("/v1/sessions")),
            (http2.HEADERS, http2.END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff"),
            (http2.CONTINUATION, http2.END_HEADERS, 1, b""),
            (http2.WINDOW_UPDATE, 0, 0, b"\0\0\0\0"),
            (http2.SETTINGS, 0, 0, b"12345"),
            (http2.PING, 0, 0, b"short"),
            (http2.RST_STREAM, 0, 7, b"\0\0\0\0"),
        ]
        for frame in hostile:
            with self.subTest(frame=frame):
                connection = self.connect()
                connection.send(*frame)
                self.assertIn(http2.GOAWAY, [kind for kind, *_ in connection.wait_for_end()])
        self.publish("still here")
        while EVENT % "still here" not in bystander.wait_for(http2.DATA, 1)[3].decode():
            pass
        self.assertEqual(support.metric(self.node.admin_port, "http2_connections"), 1)

    def test_bad_fields_are_refused_with_their_request_alone(self):
        self.start()
        connection = self.connect()
        bad = [(("x", b"a\r\nb"),), (("connection", "close"),), (("transfer-encoding", "chunked"),), (("Upper", "x"),)]
        for number, more in enumerate(bad):
            connection.send(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 2 * number + 1, http2.get("/v1/sessions", *more))
            self.assertEqual(connection.wait_for(http2.RST_STREAM)[2], 2 * number + 1)
        connection.send(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 21, http2.get("/v1/sessions"))
        connection.wait_for(http2.DATA, 21)

    def test_silent_connections_go(self):
        self.start("--handshake.timeout", "300ms")
        silent = self.connect()
        self.assertIn(http2.GOAWAY, [kind for kind, *_ in silent.wait_for_end()])
        half = self.connect()
        half.send(http2.HEADERS, 0, 1, http2.get("/v1/sessions"))
        half.wait_for_end()
        support.wait_for("both are gone", lambda: support.metric(self.node.admin_port, "http2_connections") == 0)

    def test_who_never_asks_goes_when_a_first_head_was_due(self):
        self.start("--handshake.timeout", "2s")
        begun = time.monotonic()
        with http2.socket.create_connection(("127.0.0.1", self.node.port), http2.DEADLINE_S) as slow:
            slow.sendall(http2.PREFACE[:10])
            self.assertFalse(select.select([slow], [], [], 1.2)[0], "the preface had less time than there is")
            slow.sendall(http2.PREFACE[10:] + bytes((0, 0, 0, http2.SETTINGS, 0, 0, 0, 0, 0)))
            frames = b""
            while part := slow.recv(4096):
                frames += part
        self.assertLess(time.monotonic() - begun, 2.9, "the first request had a time of its own")
        self.assertIn(bytes((0, 0, 8, http2.GOAWAY, 0)), frames)
        self.assertEqual(support.metric(self.node.admin_port, 'connections_refused_total{reason="timeout"}'), 1)

    def test_a_drain_lets_answers_end_and_takes_no_more(self):
        self.start("--drain.time", "1s")
        connection = self.connect()
        connection.send(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 1, http2.get("/v1/events?session=s1"))
        connection.wait_for(http2.DATA, 1)
        self.node.child.terminate()
        frames = connection.wait_for_end()
        self.assertIn(http2.GOAWAY, [kind for kind, *_ in frames])
        self.assertIn("event: notice", b"".join(frame[3] for frame in frames if frame[0] == http2.DATA).decode())
        self.assertTrue(any(frame[0] == http2.DATA and frame[1] & http2.END_STREAM for frame in frames), frames)
        self.assertEqual(self.node.wait(), 0)

    def test_it_can_be_switched_off(self):
        self.start("--http2.enabled", "no")
        self.assertTrue(curl("-i", "--http0.9", self.base + "/v1/sessions")[1])
        with http2.socket.create_connection(("127.0.0.1", self.node.port), 5) as plain:
            plain.sendall(http2.PREFACE)
            self.assertTrue(plain.recv(4096).startswith(b"HTTP/1.1 400 "))


if __name__ == "__main__":
    support.main()
