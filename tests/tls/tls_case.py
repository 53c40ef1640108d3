"""What tests of TLS towards clients share: a node with a plain and a TLS port, certificates of an authority of the test's own, clients."""
import json
import os
import re
import socket
import ssl
import subprocess
import time
import unittest
import warnings

import certificates
import support
import websocket

HANDSHAKE_MS = 800


def series(node, name):
    """The sum of a metric's series; name may hold the labels."""
    total = 0.0
    for line in support.http_get(node.admin_port, "/metrics")[1].splitlines():
        if line.startswith(f"tracegate_{name}"):
            total += float(line.split()[-1])
    return total


def descriptors(node):
    return len(os.listdir(f"/proc/{node.child.pid}/fd"))


def counts_memory():
    """A sanitizer keeps what was freed, or notes about it."""
    with open(support.GATEWAY, "rb") as program:
        text = program.read()
    return b"__asan_init" not in text and b"__tsan_init" not in text


def resident_mib(node):
    """Resident memory, where that says something."""
    if not counts_memory():
        return 0
    with open(f"/proc/{node.child.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024


class TlsCase(unittest.TestCase):
    def setUp(self):
        warnings.simplefilter("ignore", DeprecationWarning)  # of the old versions that are to be refused
        self.authority = certificates.Authority(self)
        self.certificate, self.key = self.authority.issue("localhost", "server")
        self.redis = support.start_redis(self)

    def start(self, *options):
        """A node with a plain port, .port, and one that speaks TLS, .tls_port."""
        tls_port = support.free_ports(4) + 3
        node = support.start_node(self, self.redis.port, "--preset", "test", "--tls.listen", f"127.0.0.1:{tls_port}",
                                  "--tls.certificate_file", self.certificate, "--tls.key_file", self.key,
                                  "--handshake.timeout", f"{HANDSHAKE_MS}ms", *options)
        node.tls_port = tls_port
        self.addCleanup(self.end_well, node)
        return node

    def end_well(self, node):
        """It drains, and a sanitizer that it was built with has nothing to say, of leaks neither."""
        if node.child.stdout.closed:
            return
        node.child.terminate()
        self.assertEqual(node.wait(), 0, node.output)
        node.child.stdout.close()
        self.assertNotIn("Sanitizer", node.output)

    def context(self, certificate=None):
        context = ssl.create_default_context(cafile=self.authority.file)
        if certificate:
            context.load_cert_chain(*certificate)
        return context

    def connect(self, node, context=None):
        plain = socket.create_connection(("127.0.0.1", node.tls_port), support.DEADLINE_S)
        try:
            tls = (context or self.context()).wrap_socket(plain, server_hostname="localhost")
        except Exception:
            plain.close()
            raise
        self.addCleanup(tls.close)
        return tls

    def open(self, node, context=None):
        client = websocket.WebSocket(node.tls_port, self.connect(node, context))
        self.assertIn('"op":"welcome"', client.next())
        return client

    def subscribe(self, client, **wishes):
        client.send(json.dumps({"id": 1, "op": "subscribe", "channels": ["trace:*"], **wishes}))
        self.assertIn('"ok"', client.next())

    def expect_event(self, client, text):
        while True:
            message = client.next()
            if text in message:
                return message
            self.assertFalse(message.startswith("CLOSE"), message)

    def check(self, node, client):
        """The client gets what is published now."""
        text = f"probe{time.monotonic_ns()}"
        support.publish(self.redis.port, "trace:s1", f'"{text}"')
        self.expect_event(client, text)

    def to_close(self, client):
        while True:
            message = client.next()
            if message.startswith("CLOSE"):
                return message

    def check_open(self, node, context):
        client = self.open(node, context)
        self.subscribe(client)
        self.check(node, client)

    def tgcli(self, *arguments):
        done = subprocess.run([support.TGCLI, *arguments], capture_output=True, text=True, timeout=support.DEADLINE_S, check=False)
        return done.returncode, done.stdout + done.stderr
