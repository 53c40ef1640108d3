"""Revocation lists for client certificates: who is on one comes in no more and is not left in, and nobody else is hurt."""
import os
import ssl
import subprocess

import certificates
import support
import tls_case
import websocket

REFUSED = 'tls_handshake_errors_total{reason="certificate"}'
READ, FAILED = 'tls_reloads_total{result="ok"}', 'tls_reloads_total{result="failed"}'


class Revocation(tls_case.TlsCase):
    def setUp(self):
        super().setUp()
        self.good, self.bad = self.authority.issue("good"), self.authority.issue("bad")
        self.lists = self.authority.path("lists.pem")

    def write(self, *texts):
        """Replaced as a whole."""
        with open(self.lists + ".new", "w") as file:
            file.write("".join(texts))
        os.rename(self.lists + ".new", self.lists)

    def flags(self, needed="required"):
        return ("--tls.client_ca_file", self.authority.file, "--tls.client_auth", needed, "--tls.client_crl_file", self.lists)

    def start_with_lists(self, *more, needed="required"):
        return self.start(*self.flags(needed), "--log.level", "info,wire=debug", *more)

    def replace(self, node, *texts):
        """Until the node has read it."""
        before = tls_case.series(node, READ)
        self.write(*texts)
        support.wait_for("it is read", lambda: tls_case.series(node, READ) == before + 1)

    def check_refused(self, node, certificate, said):
        before = tls_case.series(node, REFUSED)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            # With TLS 1.3 the client hears of it only when it reads.
            self.connect(node, self.context(certificate)).recv(1)
        support.wait_for("it is counted", lambda: tls_case.series(node, REFUSED) == before + 1)
        self.wait_for_words(node, said)

    def wait_for_words(self, node, said):
        support.wait_for(f"it says {said}", lambda: node.read(0) and said in node.output)

    def open_live(self, node, certificate):
        client = self.open(node, self.context(certificate))
        self.subscribe(client)
        return client

    def check_cut(self, client):
        with self.assertRaises((websocket.Closed, ConnectionError, ssl.SSLError)):
            while True:
                self.assertFalse(client.next().startswith("CLOSE"))

    def chain(self, authority, certificate):
        """The files (certificate and authority, key) as such a client shows them."""
        name = certificate[0] + ".chain"
        with open(name, "w") as out:
            for part in (certificate[0], authority.file):
                with open(part) as file:
                    out.write(file.read())
        return name, certificate[1]

    def test_refuses_who_is_on_the_list(self):
        self.write(self.authority.revoke(self.bad))
        node = self.start_with_lists()
        self.check_open(node, self.context(self.good))
        self.check_refused(node, self.bad, "certificate revoked")
        older = self.context(self.bad)
        older.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(node, older).recv(1)
        self.check_open(node, self.context(self.good))
        self.end_well(node)
        node = self.start_with_lists(needed="optional")
        self.check_open(node, self.context())
        self.check_refused(node, self.bad, "certificate revoked")

    def test_a_new_list_ends_whom_it_names_and_nobody_else(self):
        self.write(self.authority.revoke())
        node = self.start_with_lists("--workers", "2", needed="optional")
        leaving = [self.open_live(node, self.bad) for _ in range(8)]
        staying = [self.open_live(node, certificate) for certificate in (self.good, None) for _ in range(4)]
        plain = websocket.WebSocket(node.port)
        self.assertIn('"op":"welcome"', plain.next())
        self.subscribe(plain)
        self.check(node, leaving[0])
        before = tls_case.descriptors(node)
        self.replace(node, self.authority.revoke(self.bad))
        for client in leaving:
            self.check_cut(client)
        for client in (*staying, plain):
            self.check(node, client)
        support.wait_for("their descriptors are gone", lambda: tls_case.descriptors(node) == before - 3 * len(leaving))
        support.wait_for("they are counted out", lambda: tls_case.series(node, "tls_connections") == len(staying))
        self.check_refused(node, self.bad, "certificate revoked")
        self.check_open(node, self.context(self.good))
        self.replace(node, self.authority.revoke())
        self.check_open(node, self.context(self.bad))
        node.read(0)
        ended = [line for line in node.output.splitlines() if "a connection is cut off: its client certificate was revoked" in line]
        self.assertEqual(len(ended), len(leaving))
        self.assertIn("address=127.0.0.1", ended[0])

    def test_a_broken_file_leaves_the_lists_before_in_place(self):
        strange = certificates.Authority(self).revoke()  # of the same name
        good = self.authority.revoke(self.bad)
        self.write(good)
        node = self.start_with_lists()
        client = self.open_live(node, self.good)
        for number, (text, said) in enumerate((("", "no revocation list"), (good[:len(good) // 2], "bad end line"),
                                               (good + strange, "not signed by its authority"), ("-" * 5000, "no revocation list"))):
            self.write(text)
            support.wait_for("it is refused", lambda count=number + 1: tls_case.series(node, FAILED) == count)
            if number == 0:
                support.let_pass(3)
            self.assertEqual(tls_case.series(node, FAILED), number + 1)
            self.wait_for_words(node, said)
            self.assertEqual(node.output.count("of no use"), number + 1, node.output)
            self.assertIn(f"tls.client_crl_file: {self.lists}: ", node.output)
            self.check_refused(node, self.bad, "certificate revoked")
        self.check(node, client)
        self.check_open(node, self.context(self.good))

    def test_a_list_that_is_out_of_date_refuses_and_says_so(self):
        self.write(self.authority.revoke(ends_in_s=8))
        node = self.start_with_lists()
        client = self.open_live(node, self.good)
        ends_at = tls_case.series(node, "tls_client_crl_expiry_timestamp_seconds")
        self.assertNotIn("out of date", node.output)
        self.wait_for_words(node, "a revocation list is out of date")
        self.check_refused(node, self.good, "CRL has expired")
        self.check(node, client)
        support.let_pass(2)
        node.read(0)
        self.assertEqual(node.output.count("a revocation list is out of date"), 1)
        self.assertIn(f"tls.client_crl_file: {self.lists}: the list of /CN=tracegate test authority", node.output)
        self.replace(node, self.authority.revoke())
        self.check_open(node, self.context(self.good))
        self.assertGreater(tls_case.series(node, "tls_client_crl_expiry_timestamp_seconds"), ends_at + 3000)
        # Of two lists of one authority the one that is good counts.
        self.replace(node, self.authority.revoke(ends_in_s=-10), self.authority.revoke())
        self.check_open(node, self.context(self.good))
        node.read(0)
        self.assertEqual(node.output.count("a revocation list is out of date"), 1)

    def test_each_authority_of_a_chain_needs_its_list(self):
        between = certificates.Authority(self, "between", above=self.authority)
        good, bad = (self.chain(between, between.issue(name)) for name in ("good", "bad"))
        self.write(self.authority.revoke())
        node = self.start_with_lists()
        self.check_refused(node, good, "unable to get certificate CRL")
        self.check_open(node, self.context(self.good))
        self.replace(node, self.authority.revoke(), between.revoke(bad))
        client = self.open_live(node, good)
        self.check_open(node, self.context(good))
        self.check_refused(node, bad, "certificate revoked")
        self.replace(node, self.authority.revoke((between.file, None)), between.revoke())
        self.check_cut(client)
        self.check_refused(node, good, "certificate revoked")
        self.check_open(node, self.context(self.good))

    def test_no_session_is_resumed_past_the_lists(self):
        self.write(self.authority.revoke())
        node = self.start_with_lists()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context(self.bad)
            context.maximum_version = version
            first = self.connect(node, context)
            first.sendall(b"GET /v1/history?channels=trace:* HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b"200", first.recv(4096))
            self.assertFalse(first.session and first.session.has_ticket)
        self.replace(node, self.authority.revoke(self.bad))
        self.check_refused(node, self.bad, "certificate revoked")

    def test_many_lists_leave_nothing(self):
        """The lists before are gone when the next are there, whoever came by them."""
        text = self.authority.revoke(others=20000)
        self.write(self.authority.revoke())
        node = self.start_with_lists()
        self.replace(node, text)
        clients, resident = [], []
        for _ in range(8):
            clients.append(self.open_live(node, self.bad))
            self.replace(node, text)
            resident.append(tls_case.resident_mib(node))
        self.assertLess(resident[-1], resident[2] + 8, resident)
        for client in clients:
            self.check(node, client)

    def check_configuration(self, *flags):
        done = subprocess.run([support.GATEWAY, "--admin.listen", "", "--tls.certificate_file", self.certificate, "--tls.key_file", self.key,
                               *flags, "--check-config"], capture_output=True, text=True, timeout=support.DEADLINE_S, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_wrong_options_and_files_are_named(self):
        authorities = ("--tls.client_ca_file", self.authority.file)
        asks = ("--tls.client_auth", "required")
        lists = ("--tls.client_crl_file", self.lists)
        binary = self.authority.path("list.der")
        self.write(self.authority.revoke())
        certificates.openssl("crl", "-in", self.lists, "-outform", "DER", "-out", binary)
        forged = self.authority.path("forged.pem")
        with open(forged, "w") as file:
            file.write(certificates.Authority(self).revoke())
        nothing = self.authority.path("nothing.pem")
        for flags, said in (
                ((*authorities, *lists), "tls.client_crl_file: needs tls.client_auth = optional or required"),
                ((*asks, *lists), "tls.client_crl_file: needs tls.client_ca_file"),
                ((*authorities, *asks, "--tls.client_crl_file", nothing), f"tls.client_crl_file: {nothing}: No such file"),
                ((*authorities, *asks, "--tls.client_crl_file", self.authority.file),
                 f"tls.client_crl_file: {self.authority.file}: no revocation list in PEM"),
                ((*authorities, *asks, "--tls.client_crl_file", binary), f"tls.client_crl_file: {binary}: no revocation list in PEM"),
                ((*authorities, *asks, "--tls.client_crl_file", forged), f"tls.client_crl_file: {forged}: a list in it is not signed"),
        ):
            status, output = self.check_configuration(*flags)
            self.assertEqual(status, 2, output)
            self.assertIn(said, output)
            node = support.Process(self, [support.GATEWAY, "--listen", "127.0.0.1:0", "--admin.listen", "", "--tls.certificate_file",
                                          self.certificate, "--tls.key_file", self.key, *flags],
                                   TRACEGATE_REDIS_URL=f"redis://127.0.0.1:{self.redis.port}")
            self.assertIn(node.wait(), (1, 2))
            self.assertIn(said, node.output)
        status, output = self.check_configuration(*authorities, *asks, *lists)
        self.assertEqual((status, output), (0, "The configuration is valid.\n"))
        self.write(self.authority.revoke(ends_in_s=-10))
        status, output = self.check_configuration(*authorities, *asks, *lists)
        self.assertEqual(status, 0)
        self.assertIn("is out of date", output)

    def test_stands_in_a_file_and_in_the_environment(self):
        self.write(self.authority.revoke())
        file = self.authority.path("node.ini")
        with open(file, "w") as out:
            out.write(f"[tls]\ncertificate_file = {self.certificate}\nkey_file = {self.key}\nclient_auth = required\nclient_ca_file = {self.authority.file}\nclient_crl_file = {self.lists}\n")
        self.assertEqual(support.printed_configuration("--config", file)["tls.client_crl_file"], self.lists)
        os.environ["TRACEGATE_TLS_CLIENT_CRL_FILE"] = "another.pem"
        self.addCleanup(os.environ.pop, "TRACEGATE_TLS_CLIENT_CRL_FILE")
        self.assertEqual(support.printed_configuration("--config", file)["tls.client_crl_file"], "another.pem")


if __name__ == "__main__":
    support.main()
