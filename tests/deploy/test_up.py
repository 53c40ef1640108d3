"""deploy/up.sh really starts a fleet, is of use, and leaves nothing behind."""
import glob
import json
import os
import signal
import socket
import subprocess
import tempfile
import unittest

import support

EVENT = '{"sessionId":"s1","type":"tool.call","big":12345678901234567890}'


def uptime_ms(admin_port):
    return json.loads(support.http_get(admin_port, "/v1/node")[1])["uptimeMs"]


class Up(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.temporary = temporary.name

    def start(self, redis_port, *arguments):
        build = os.path.dirname(os.path.dirname(support.GATEWAY))
        return support.Process(self, ["bash", support.path("deploy", "up.sh"), "--no-build", "--build", build, *arguments],
                               TRACEGATE_REDIS_URL=f"redis://127.0.0.1:{redis_port}", TMPDIR=self.temporary)

    def assert_nothing_left(self, pids):
        left = [pid for pid in pids if support.is_alive(pid)]
        self.assertEqual(left, [])
        self.assertEqual(glob.glob(os.path.join(self.temporary, "*")), [])

    def test_three_nodes_show_an_event_and_leave_nothing_on_ctrl_c(self):
        redis_port = support.free_ports(7)
        port = redis_port + 1
        up = self.start(redis_port, "--nodes", "3", "--port", str(port))
        up.wait_for_output("(Ctrl-C stops it)\n")
        self.assertIn(f"starting a private one on 127.0.0.1:{redis_port}", up.output)
        self.assertTrue(up.output.splitlines()[-1].startswith("tracegate is up: 3 node(s)"), up.output)

        watchers = []
        for client_port in (port, port + 2, port + 4):
            self.assertEqual(support.http_get(client_port + 1, "/readyz")[0], 200)
            watchers.append(support.start_watch(self, client_port, "--count", "1"))
            support.wait_for("subscribed", lambda: support.metric(client_port + 1, "subscriptions") == 1)
        support.publish(redis_port, "trace:s1", EVENT)
        for watcher in watchers:
            self.assertEqual(watcher.wait(), 0, watcher.output)
            self.assertIn(EVENT, watcher.output)

        started = support.descendants(up.child.pid)
        self.assertEqual(len(started), 4, started)  # three nodes and Redis, nothing else
        up.child.send_signal(signal.SIGINT)
        self.assertEqual(up.wait(), 0, up.output)
        self.assert_nothing_left(started)
        self.assertTrue(all(support.port_is_free(redis_port + i) for i in range(7)))

    def test_the_redis_that_answers_is_used_and_survives(self):
        redis = support.start_redis(self)
        up = self.start(redis.port, "--port", str(support.free_ports(2)))
        up.wait_for_output("(Ctrl-C stops it)\n")
        self.assertIn(f"using the one at redis://127.0.0.1:{redis.port}", up.output)
        started = support.descendants(up.child.pid)
        up.child.send_signal(signal.SIGTERM)
        self.assertEqual(up.wait(), 0, up.output)
        self.assert_nothing_left(started)
        support.publish(redis.port, "trace:s1", EVENT)

    def test_a_taken_port_is_said_and_stepped_over(self):
        redis = support.start_redis(self)
        port = support.free_ports(4)
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port))
            taken.listen()
            up = self.start(redis.port, "--port", str(port))
            up.wait_for_output("(Ctrl-C stops it)\n")
        self.assertIn(f"Port {port} or {port + 1} is taken: node 1 uses {port + 1} and {port + 2}", up.output)
        self.assertEqual(support.http_get(port + 2, "/readyz")[0], 200)

    def test_a_lonely_node_that_dies_ends_all_and_is_named(self):
        redis = support.start_redis(self)
        up = self.start(redis.port, "--port", str(support.free_ports(2)))
        up.wait_for_output("(Ctrl-C stops it)\n")
        started = support.descendants(up.child.pid)
        os.kill(next(iter(started)), signal.SIGKILL)
        self.assertEqual(up.wait(), 1, up.output)
        self.assertIn("up.sh: node 1 ended by itself (exit status 137)", up.output)
        self.assert_nothing_left(started)

    def test_a_node_of_several_that_is_killed_comes_back(self):
        redis = support.start_redis(self)
        port = support.free_ports(4)
        up = self.start(redis.port, "--nodes", "2", "--port", str(port))
        up.wait_for_output("(Ctrl-C stops it)\n")
        support.wait_for("the node has run for a while", lambda: uptime_ms(port + 3) > 3000)
        victim = next(pid for pid, command in support.descendants(up.child.pid).items() if "node-2" in command)
        os.kill(victim, signal.SIGKILL)
        up.wait_for_output("Node 2 ended (exit status 137) and was started again")
        support.wait_for("node 2 is ready again", lambda: support.http_get(port + 3, "/readyz")[0] == 200)
        started = support.descendants(up.child.pid)
        up.child.send_signal(signal.SIGINT)
        self.assertEqual(up.wait(), 0, up.output)
        self.assert_nothing_left(started)

    def test_a_wrong_gateway_option_is_shown_as_the_gateway_says_it(self):
        redis = support.start_redis(self)
        up = self.start(redis.port, "--port", str(support.free_ports(2)), "--", "--wrokers", "2")
        self.assertEqual(up.wait(), 1, up.output)
        self.assertIn("wrokers", up.output)
        self.assertIn("node 1 ended by itself", up.output)
        self.assert_nothing_left([])

    def test_a_wrong_option_of_its_own_is_refused(self):
        up = self.start(1, "--nodes", "many")
        self.assertEqual(up.wait(), 1)
        self.assertIn("--nodes many is not a number", up.output)

    def test_where_nodes_listen_is_not_the_options_to_say(self):
        for options in (("--listen", "127.0.0.1:1"), ("--log.level=debug", "--admin.listen=127.0.0.1:1"), ("--node.name", "n")):
            up = self.start(1, "--", *options)
            self.assertEqual(up.wait(), 1)
            self.assertIn("is chosen for each node: use --port", up.output)

    def test_the_redis_of_the_options_is_shown_without_its_password(self):
        redis = support.start_redis(self)
        secret = "hunter2@slash"
        subprocess.run(["redis-cli", "-p", str(redis.port), "CONFIG", "SET", "requirepass", secret], check=True, capture_output=True)
        url = f"redis://:{secret}@127.0.0.1:{redis.port}"
        file = os.path.join(self.temporary, "redis-url")
        with open(file, "w") as out:
            out.write(url + "\n")
        for options in (("--redis.url", url), (f"--redis.url_file={file}",)):
            up = self.start(1, "--port", str(support.free_ports(2)), "--", *options)
            up.wait_for_output("(Ctrl-C stops it)\n")
            self.assertIn(f"redis-cli -u redis://***@127.0.0.1:{redis.port} PUBLISH", up.output)
            up.child.send_signal(signal.SIGINT)
            self.assertEqual(up.wait(), 0, up.output)
            for part in ("hunter2", "slash"):
                self.assertNotIn(part, up.output)


if __name__ == "__main__":
    support.main()
