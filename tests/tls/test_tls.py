"""TLS towards clients: what they get over it is what they get without, and who speaks it badly, slowly or not at all hurts nobody."""
import http.client
import os
import re
import resource
import select
import socket
import ssl
import struct
import subprocess
import time

import certificates
import support
import tls_case
import websocket

STRANGERS = 1000


class Tls(tls_case.TlsCase):
    def test_serves_websocket_http_and_sse_beside_plain(self):
        node = self.start()
        tls, plain = self.open(node), websocket.WebSocket(node.port)
        self.assertIn('"op":"welcome"', plain.next())
        self.subscribe(tls)
        self.subscribe(plain)
        big = "x" * 100000
        support.publish(self.redis.port, "trace:s1", '{"sessionId":"s1","n":1}')
        self.assertEqual(re.sub('"sub":"?\\w+"?', "", self.expect_event(tls, '"n":1')),
                         re.sub('"sub":"?\\w+"?', "", self.expect_event(plain, '"n":1')))
        support.publish(self.redis.port, "trace:s1", f'"{big}"')
        self.assertIn(big, self.expect_event(tls, "xxx"))
        history = http.client.HTTPSConnection("localhost", node.tls_port, timeout=support.DEADLINE_S, context=self.context())
        for _ in range(3):
            history.request("GET", "/v1/history?channels=trace:*")
            answer = history.getresponse()
            self.assertEqual(answer.status, 200)
            self.assertIn(b'"n":1', answer.read())
        self.assertEqual(history.sock.selected_alpn_protocol(), None)
        history.close()
        stream = self.connect(node)
        stream.sendall(b"GET /v1/events?channels=trace:* HTTP/1.1\r\nHost: localhost\r\n\r\n")
        heard = b""
        while b"event: ok" not in heard and b"text/event-stream" not in heard:
            heard += stream.recv(65536)
        support.publish(self.redis.port, "trace:s1", '{"n":2}')
        while b'"n":2' not in heard:
            heard += stream.recv(65536)
        self.assertEqual(tls.socket.version(), "TLSv1.3")
        tls.send_close(1000)
        self.assertEqual(self.to_close(tls), "CLOSE 1000")
        self.assertEqual(tls.socket.recv(10), b"", "close_notify ends it, not a reset")

    def test_certificate_without_addresses_of_its_own_makes_all_speak_tls(self):
        port = support.free_ports(2)
        node = support.Process(self, [support.GATEWAY, "--listen", f"127.0.0.1:{port}", "--admin.listen", f"127.0.0.1:{port + 1}",
                                      "--tls.certificate_file", self.certificate, "--tls.key_file", self.key],
                               TRACEGATE_REDIS_URL=f"redis://127.0.0.1:{self.redis.port}")
        support.wait_for("the node is ready", lambda: support.http_get(port + 1, "/readyz")[0] == 200)
        node.tls_port, node.admin_port = port, port + 1
        client = self.open(node)
        self.subscribe(client)
        self.check(node, client)
        self.assertGreater(tls_case.series(node, "tls_certificate_expiry_timestamp_seconds"), time.time())

    def test_closes_reach_the_client_over_tls(self):
        node = self.start("--drain.time", "0s")
        client = self.open(node)
        stalled = self.open(node)
        node.child.terminate()
        self.assertEqual(self.to_close(client), "CLOSE 1012")
        client.send_close(1012)
        self.assertEqual(client.socket.recv(10), b"")
        self.assertEqual(node.wait(), 0)
        self.assertEqual(self.to_close(stalled), "CLOSE 1012")

    def test_versions_and_protocols(self):
        node = self.start("--tls.min_version", "1.3")
        context = self.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises(ssl.SSLError):
            self.connect(node, context)
        self.assertEqual(self.connect(node).version(), "TLSv1.3")
        support.wait_for("it is counted", lambda: tls_case.series(node, 'tls_handshake_errors_total{reason="protocol"}') == 1)
        self.end_well(node)
        node = self.start()
        self.assertEqual(self.connect(node, context).version(), "TLSv1.2")
        context = self.context()
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises(ssl.SSLError):
            self.connect(node, context)
        context = self.context()
        context.set_alpn_protocols(["h3", "http/1.1"])
        self.assertEqual(self.connect(node, context).selected_alpn_protocol(), "http/1.1")
        context = self.context()
        context.set_alpn_protocols(["h3"])
        with self.assertRaises(ssl.SSLError):
            self.connect(node, context)

    def test_client_certificates(self):
        good = self.authority.issue("watcher")
        strange = certificates.Authority(self, "another").issue("watcher")
        options = ("--tls.client_ca_file", self.authority.file, "--tls.client_auth")
        node = self.start(*options, "required")
        self.check_open(node, self.context(good))
        for context in (self.context(), self.context(strange)):
            # With TLS 1.3 the client hears of it only when it reads.
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.connect(node, context).recv(1)
        support.wait_for("both are counted", lambda: tls_case.series(node, 'tls_handshake_errors_total{reason="certificate"}') == 2)
        self.end_well(node)
        node = self.start(*options, "optional")
        self.check_open(node, self.context(good))
        self.check_open(node, self.context())
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(node, self.context(strange)).recv(1)

    def test_plain_http_on_the_tls_port_is_told(self):
        node = self.start()
        with socket.create_connection(("127.0.0.1", node.tls_port), support.DEADLINE_S) as plain:
            plain.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while part := plain.recv(65536):
                answer += part
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        self.assertIn(b"tls_required", answer)
        with socket.create_connection(("127.0.0.1", node.tls_port), support.DEADLINE_S) as plain:
            plain.sendall(b"\x00" * 64)
            while plain.recv(65536):
                pass
        support.wait_for("it is counted", lambda: tls_case.series(node, 'tls_handshake_errors_total{reason="not_tls"}') == 2)
        self.check_open(node, None)

    def test_silent_and_slow_handshakes_end_by_a_total_deadline(self):
        node = self.start()
        before = tls_case.descriptors(node)
        resource.setrlimit(resource.RLIMIT_NOFILE, 2 * [resource.getrlimit(resource.RLIMIT_NOFILE)[1]])
        strangers = [socket.create_connection(("127.0.0.1", node.tls_port)) for _ in range(STRANGERS)]
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)
        for stranger in strangers[::2]:
            stranger.sendall(hello[:8])
        begun = time.monotonic()
        self.check_open(node, None)
        self.assertLess(time.monotonic() - begun, 1)
        at = 8
        while tls_case.series(node, "handshakes") > 0:
            for stranger in strangers[::2]:
                try:
                    stranger.send(hello[at:at + 1], socket.MSG_DONTWAIT)
                except OSError:
                    pass
            at = min(at + 1, len(hello) - 1)
            self.assertLess(time.monotonic() - begun, 10, "they are still open")
        self.assertEqual(tls_case.series(node, 'tls_handshake_errors_total{reason="timeout"}'), STRANGERS)
        for stranger in strangers:
            stranger.close()
        support.wait_for("nothing is left of them", lambda: tls_case.descriptors(node) <= before + 4)

    def trickle(self, client, text, seconds):
        """A byte in each beat, all but the last one, until the time has passed; then the rest. What came back, if anything did."""
        at, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            if at < len(text) - 1:
                client.sendall(text[at:at + 1])
                at += 1
            if select.select([client], [], [], 0.02)[0]:
                try:
                    return client.recv(4096)
                except ConnectionResetError:
                    return b""
        client.sendall(text[at:])
        return None

    def test_header_handshake_and_head_share_one_timeout(self):
        node = self.start("--proxy_protocol", "yes", "--trusted_proxies", "127.0.0.1", "--handshake.timeout", "3s")
        begun = time.monotonic()
        plain = socket.create_connection(("127.0.0.1", node.tls_port), support.DEADLINE_S)
        self.assertIsNone(self.trickle(plain, b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n", 1.5))
        tls = self.context().wrap_socket(plain, server_hostname="localhost")
        self.addCleanup(tls.close)
        answer = self.trickle(tls, b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n", support.DEADLINE_S)
        self.assertLess(time.monotonic() - begun, 4, "the head had a time of its own")
        self.assertIn(b" 408 ", answer)
        begun = time.monotonic()
        slow = socket.create_connection(("127.0.0.1", node.tls_port), support.DEADLINE_S)
        self.addCleanup(slow.close)
        self.assertIsNone(self.trickle(slow, b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n", 1.5))
        self.assertEqual(self.trickle(slow, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), support.DEADLINE_S), b"")
        self.assertLess(time.monotonic() - begun, 4, "the TLS handshake had a time of its own")
        self.assertEqual(tls_case.series(node, 'tls_handshake_errors_total{reason="timeout"}'), 1)

    def test_many_connections_leave_nothing(self):
        node = self.start()
        bystander = self.open(node)
        self.subscribe(bystander)
        self.check(node, bystander)
        before = tls_case.descriptors(node)
        for turn in range(2):
            clients = [self.open(node) for _ in range(100)]
            for number, client in enumerate(clients):
                if number % 4 == 0:
                    client.send_close(1000)
                elif number % 4 == 1:
                    client.socket.unwrap() if number % 8 == 1 else client.socket.shutdown(socket.SHUT_WR)
                elif number % 4 == 2:
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.socket.close()
            self.check(node, bystander)
            support.wait_for("no descriptor is left", lambda: tls_case.descriptors(node) == before)
            if turn == 0:
                resident = tls_case.resident_mib(node)
        self.assertLess(tls_case.resident_mib(node), resident + 4)
        support.wait_for("the gauges are back", lambda: tls_case.series(node, "tls_connections") == 1 and tls_case.series(node, "connections ") == 1)

    def test_slow_reader_catches_up_with_bounded_memory(self):
        node = self.start("--slow.threshold", "64k", "--history.ring_bytes", "1m")
        slow, bystander = self.open(node), self.open(node)
        self.subscribe(slow)
        self.subscribe(bystander)
        self.check(node, bystander)
        before = tls_case.resident_mib(node)
        count, size = 6000, 4000
        publisher = subprocess.Popen(["redis-cli", "-p", str(self.redis.port)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        padding = "p" * size
        seen = 0
        for first in range(0, count, 100):
            publisher.stdin.write("".join(f"PUBLISH trace:s1 '{{\"n\":{n},\"p\":\"{padding}\"}}'\n"
                                          for n in range(first, first + 100)).encode())
            publisher.stdin.flush()
            while seen < first + 100:
                seen += len(re.findall(r'"n":\d+', bystander.next()))
        publisher.stdin.close()
        publisher.wait()
        support.wait_for("it catches up", lambda: tls_case.series(node, "subscriptions_catching_up") == 1)
        self.assertLess(tls_case.resident_mib(node), before + 20)
        numbers = []
        while len(numbers) < count:
            numbers += [int(n) for n in re.findall(r'"n":(\d+)', slow.next())]
        self.assertEqual(numbers, list(range(count)))

    def test_reload_keeps_connections(self):
        # As Kubernetes does: the files are links through a link to a folder that is turned.
        links = self.authority.path("links")
        os.makedirs(links)
        self.put(links, "first", self.certificate, self.key)
        for name in ("tls.crt", "tls.key"):
            os.symlink(os.path.join("..data", name), os.path.join(links, name))
        self.certificate, self.key = os.path.join(links, "tls.crt"), os.path.join(links, "tls.key")
        node = self.start()
        old = self.open(node)
        self.subscribe(old)
        self.assertEqual(self.serial(node), self.serial_of(self.certificate))
        self.put(links, "second", *self.authority.issue("localhost", "second"))
        support.wait_for("it is read", lambda: tls_case.series(node, 'tls_reloads_total{result="ok"}') == 1)
        self.assertEqual(self.serial(node), self.serial_of(self.certificate))
        self.check(node, old)
        good = self.serial_of(self.certificate)
        self.put(links, "broken", self.authority.issue("localhost", "third")[0], self.authority.issue("localhost", "fourth")[1])
        support.wait_for("it is refused", lambda: tls_case.series(node, 'tls_reloads_total{result="failed"}') == 1)
        self.assertEqual(self.serial(node), good)
        support.let_pass(3)
        node.read(0)
        self.assertEqual(node.output.count("of no use"), 1, node.output)
        self.assertIn("this key does not belong to", node.output)
        os.remove(os.path.join(links, "tls.crt"))
        support.wait_for("it is refused too", lambda: tls_case.series(node, 'tls_reloads_total{result="failed"}') == 2)
        self.check(node, old)
        self.assertEqual(self.serial(node), good)

    def put(self, links, name, certificate, key):
        folder = os.path.join(links, name)
        os.makedirs(folder)
        for source, target in ((certificate, "tls.crt"), (key, "tls.key")):
            with open(source) as read, open(os.path.join(folder, target), "w") as write:
                write.write(read.read())
        os.symlink(name, os.path.join(links, "..new"))
        os.rename(os.path.join(links, "..new"), os.path.join(links, "..data"))

    def serial(self, node):
        tls = self.connect(node)
        return tls.getpeercert()["serialNumber"]

    def serial_of(self, file):
        shown = subprocess.run(["openssl", "x509", "-in", file, "-noout", "-serial"], check=True, capture_output=True, text=True)
        return shown.stdout.strip().split("=")[1]

    def test_sessions_resume_by_ticket(self):
        node = self.start("--workers", "2")
        context = self.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        first = self.connect(node, context)
        for _ in range(6):
            with socket.create_connection(("127.0.0.1", node.tls_port), support.DEADLINE_S) as plain:
                with context.wrap_socket(plain, server_hostname="localhost", session=first.session) as again:
                    self.assertTrue(again.session_reused)

    def test_origin_over_tls_is_https(self):
        node = self.start("--cors.origins", "")
        host = f"localhost:{node.tls_port}"
        for origin, status in ((f"https://{host}", 101), (f"http://{host}", 403)):
            tls = self.connect(node)
            tls.sendall(f"GET /v1/stream HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
            self.assertIn(f"HTTP/1.1 {status} ".encode(), tls.recv(100), origin)
        for origin, status in ((f"https://{host}", 200), (f"http://{host}", 403)):
            for method in ("GET", "OPTIONS"):
                connection = http.client.HTTPSConnection("localhost", node.tls_port, context=self.context())
                connection.request(method, "/v1/history", headers={"Origin": origin})
                answer = connection.getresponse()
                self.assertEqual(answer.status, 204 if method == "OPTIONS" and status == 200 else status, origin)
                self.assertEqual(answer.getheader("Access-Control-Allow-Origin"), origin if status == 200 else None)
                connection.close()

    def test_http2_is_chosen_by_alpn_unless_it_is_off(self):
        node = self.start("--cors.origins", "")
        context = self.context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.assertEqual(self.connect(node, context).selected_alpn_protocol(), "h2")
        origin = f"https://localhost:{node.tls_port}"
        for sent, status in ((origin, "200"), (origin.replace("https", "http"), "403")):
            asked = subprocess.run(["curl", "-s", "--http2", "--cacert", self.authority.file, "-H", f"Origin: {sent}", "-o", os.devnull,
                                    "-w", "%{http_version} %{http_code}", f"{origin}/v1/history"], capture_output=True, text=True,
                                   check=False)
            self.assertEqual(asked.stdout, f"2 {status}")
        self.end_well(node)
        node = self.start("--http2.enabled", "no")
        self.assertEqual(self.connect(node, context).selected_alpn_protocol(), "http/1.1")

    def test_tgcli_speaks_tls_and_checks_whom_it_speaks_to(self):
        node = self.start("--tls.client_auth", "optional", "--tls.client_ca_file", self.authority.file)
        strange = certificates.Authority(self, "another").file
        good, trusting = f"wss://localhost:{node.tls_port}", ("--ca-file", self.authority.file)
        self.assertEqual(self.tgcli("ping", "--url", good, *trusting)[0], 0)
        self.assertEqual(self.tgcli("ping", "--url", f"https://127.0.0.1:{node.tls_port}", *trusting)[0], 0)
        self.assertEqual(self.tgcli("ping", "--url", good, "--insecure")[0], 0)
        certificate, key = self.authority.issue("watcher")
        self.assertEqual(self.tgcli("ping", "--url", good, *trusting, "--cert", certificate, "--key", key)[0], 0)
        for url, options, said in ((good, (), "certificate of the node"), (good, ("--ca-file", strange), "certificate of the node"),
                                   (f"wss://localhost:{node.port}", trusting, "TLS: "),
                                   (f"ws://localhost:{node.tls_port}", (), "speaks TLS"),
                                   (good, (*trusting, "--cert", certificate, "--key", self.key), "key values mismatch")):
            status, output = self.tgcli("ping", "--url", url, *options)
            self.assertNotEqual(status, 0, output)
            self.assertIn(said, output)

    def test_tgcli_refuses_a_certificate_of_another_host(self):
        self.certificate, self.key = self.authority.issue("elsewhere", names="DNS:elsewhere.example,IP:127.0.0.9")
        node = self.start()
        for host, said in (("localhost", "hostname mismatch"), ("127.0.0.1", "IP address mismatch")):
            status, output = self.tgcli("ping", "--url", f"wss://{host}:{node.tls_port}", "--ca-file", self.authority.file)
            self.assertEqual(status, 1)
            self.assertIn(said, output)

    def test_tgcli_with_tls_on_a_plain_port_is_told(self):
        node = self.start()
        status, output = self.tgcli("ping", "--url", f"wss://localhost:{node.port}", "--ca-file", self.authority.file)
        self.assertEqual(status, 1)
        self.assertIn("the answer is not TLS; is it a plain port (ws://)?", output)

    def test_tgcli_follows_much_over_tls(self):
        node = self.start()
        watch = support.Process(self, [support.TGCLI, "watch", "--url", f"wss://localhost:{node.tls_port}", "--ca-file",
                                       self.authority.file, "--channel", "trace:*", "--count", "3000"])
        watch.wait_for_output("watching")
        support.wait_for("it is subscribed", lambda: tls_case.series(node, "subscriptions ") == 1)
        commands = "".join(f"PUBLISH trace:s1 '{{\"n\":{n},\"p\":\"{'p' * 3000}\"}}'\n" for n in range(3000))
        subprocess.run(["redis-cli", "-p", str(self.redis.port)], input=commands.encode(), stdout=subprocess.DEVNULL, check=True)
        self.assertEqual(watch.wait(), 0)
        self.assertEqual([int(n) for n in re.findall(r'"n":(\d+)', watch.output)], list(range(3000)))

    def test_wrong_files_are_named_at_start(self):
        other = self.authority.issue("localhost", "other")
        locked = self.authority.path("locked.key")
        certificates.openssl("ec", "-in", self.key, "-aes128", "-passout", "pass:secret", "-out", locked)
        nothing, empty, binary, of_another_kind = map(self.authority.path, ("nothing.pem", "empty.pem", "binary.der", "rsa.key"))
        certificates.openssl("x509", "-in", self.certificate, "-outform", "DER", "-out", binary)
        certificates.openssl("genrsa", "-out", of_another_kind, "2048")
        open(empty, "w").close()
        for options, said in (
                ((("certificate_file", nothing), ("key_file", self.key)), f"tls.certificate_file: {nothing}: No such file"),
                ((("certificate_file", self.key), ("key_file", self.key)), f"tls.certificate_file: {self.key}: no certificate in PEM in it"),
                ((("certificate_file", self.certificate), ("key_file", other[1])), f"tls.key_file: {other[1]}: this key does not belong to {self.certificate}"),
                ((("certificate_file", self.certificate), ("key_file", nothing)), f"tls.key_file: {nothing}: No such file"),
                ((("certificate_file", self.certificate), ("key_file", locked)), f"tls.key_file: {locked}: the key has a passphrase; store it without one"),
                ((("certificate_file", self.certificate),), f"tls.certificate_file (the key): {self.certificate}: no private key in it: set tls.key_file"),
                ((("certificate_file", binary), ("key_file", self.key)), f"tls.certificate_file: {binary}: no certificate in PEM in it"),
                ((("certificate_file", empty), ("key_file", self.key)), f"tls.certificate_file: {empty}: no certificate in PEM in it"),
                ((("certificate_file", self.certificate), ("key_file", empty)), f"tls.key_file: {empty}: no private key in PEM in it"),
                ((("certificate_file", self.certificate), ("key_file", self.certificate)),
                 f"tls.key_file: {self.certificate}: no private key in PEM in it"),
                ((("certificate_file", self.certificate), ("key_file", of_another_kind)),
                 f"tls.key_file: {of_another_kind}: this key does not belong to {self.certificate}"),
                ((("certificate_file", self.certificate), ("key_file", self.key), ("client_auth", "required"),
                  ("client_ca_file", empty)), f"tls.client_ca_file: {empty}: no certificate in PEM in it"),
                ((("certificate_file", self.certificate), ("key_file", self.key), ("client_auth", "required"),
                  ("client_ca_file", nothing)), f"tls.client_ca_file: {nothing}: No such file"),
                ((("certificate_file", self.certificate), ("key_file", self.key), ("client_auth", "optional")),
                 "tls.client_auth: needs tls.client_ca_file"),
                ((("listen", "127.0.0.1:0"),), "tls.listen: needs tls.certificate_file"),
        ):
            flags = [part for name, value in options for part in (f"--tls.{name}", value)]
            node = support.Process(self, [support.GATEWAY, "--listen", "127.0.0.1:0", "--admin.listen", "", *flags],
                                   TRACEGATE_REDIS_URL=f"redis://127.0.0.1:{self.redis.port}")
            self.assertIn(node.wait(), (1, 2))
            self.assertIn(said, node.output)


if __name__ == "__main__":
    support.main()
