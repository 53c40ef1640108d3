"""Secrets that a node was given stand nowhere that others can read: not in its words as the system shows them, not in what it says."""
import subprocess
import unittest

import support

SECRET = "hunter2hunter2"


class Secrets(unittest.TestCase):
    def read(self, node, name):
        with open(f"/proc/{node.child.pid}/{name}", "rb") as file:
            return file.read().decode()

    def start(self, flags, **environment):
        port = support.free_ports(2)
        node = support.Process(self, [support.GATEWAY, "--listen", f"127.0.0.1:{port}", "--admin.listen", f"127.0.0.1:{port + 1}",
                                      "--log.level", "debug", *flags], **environment)
        node.admin_port = port + 1
        support.wait_for("the node is ready", lambda: support.http_get(node.admin_port, "/readyz")[0] == 200)
        return node

    def check(self, node):
        for name in ("cmdline", "environ", "comm"):
            self.assertNotIn(SECRET, self.read(node, name), name)
        for page in ("/metrics", "/v1/node", "/readyz", "/nothing"):
            self.assertNotIn(SECRET, support.http_get(node.admin_port, page)[1])
        node.child.terminate()
        self.assertEqual(node.wait(), 0)
        self.assertNotIn(SECRET, node.output)

    def test_the_password_of_redis(self):
        redis = support.start_redis(self)
        subprocess.run(["redis-cli", "-p", str(redis.port), "CONFIG", "SET", "requirepass", SECRET], check=True, capture_output=True)
        url = f"redis://:{SECRET}@127.0.0.1:{redis.port}"
        self.check(self.start(["--redis.url", url]))
        self.check(self.start([f"--redis.url={url}"]))
        node = self.start([], TRACEGATE_REDIS_URL=url)
        self.assertIn("TRACEGATE_REDIS_URL=***", self.read(node, "environ"))
        self.check(node)

    def test_a_password_that_is_refused(self):
        redis = support.start_redis(self)
        node = support.Process(self, [support.GATEWAY, "--listen", "127.0.0.1:0", "--admin.listen", "", "--log.level", "debug",
                                      "--redis.url", f"redis://:{SECRET}@127.0.0.1:{redis.port}"])
        node.wait_for_output("cannot connect")
        node.child.terminate()
        node.wait()
        self.assertNotIn(SECRET, node.output)

    def test_an_address_that_is_wrong(self):
        for url in (f"http://:{SECRET}@h", f"redis://:{SECRET}@h:99999", f"redis://:{SECRET}@[h", f"redis://:{SECRET}@", f"redis://:{SECRET}@h:abc",
                    f"redis://:{SECRET}@h/x", f"redis://:{SECRET}@h?db=2", f"redis://:{SECRET}@a/b@h", f"redis-sentinel://:{SECRET}@h:1", "unix://"):
            flags = ["--redis.url", url, "--listen", "127.0.0.1:0", "--admin.listen", ""]
            for more, status in (([], (1, 2)), (["--check-config"], (2,))):
                node = support.Process(self, [support.GATEWAY, *flags, *more])
                self.assertIn(node.wait(), status, url)
                self.assertIn("redis.url: ", node.output)
                self.assertNotIn(SECRET, node.output)

    def test_an_address_that_is_right_is_found_so(self):
        for url in ("redis://h", "redis://u:p%2F%3F@h:1/2", "unix:///run/r.sock?db=3", "redis-sentinel://a,b:1/primary/1"):
            checked = support.Process(self, [support.GATEWAY, "--redis.url", url, "--check-config"])
            self.assertEqual(checked.wait(), 0, checked.output)

    def test_tls_towards_redis_is_there_or_its_lack_is_said(self):
        node = support.Process(self, [support.GATEWAY, "--redis.url", f"rediss://:{SECRET}@127.0.0.1:1", "--listen", "127.0.0.1:0",
                                      "--admin.listen", ""])
        node.wait_for_output("redis.url: rediss:// needs" if self.lacks_tls() else "cannot connect")
        self.assertNotIn(SECRET, node.output)
        checked = support.Process(self, [support.GATEWAY, "--redis.url", "rediss://h", "--check-config"])
        self.assertEqual(checked.wait(), 2 if self.lacks_tls() else 0, checked.output)
        if self.lacks_tls():
            self.assertEqual(node.wait(), 1)

    def lacks_tls(self):
        needed = subprocess.run(["objdump", "-p", support.GATEWAY], capture_output=True, text=True, check=True).stdout
        return "libhiredis_ssl" not in needed


if __name__ == "__main__":
    support.main()
