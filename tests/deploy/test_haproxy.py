"""The HAProxy configuration that is shipped, in a real HAProxy, in front of real nodes: streams are spread, a dead node is
left out, a draining one gets nothing new."""
import signal
import subprocess
import unittest

import support

CONFIGURATION = support.path("deploy", "haproxy", "haproxy.cfg")
EVENT = '{"sessionId":"s1","type":"tool.call"}'


class HAProxy(unittest.TestCase):
    def test_the_configuration_is_valid(self):
        checked = subprocess.run(["haproxy", "-c", "-f", CONFIGURATION], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)

    def start_haproxy(self, nodes):
        self.port = support.free_ports(1)
        environment = {"HAPROXY_BIND": f"127.0.0.1:{self.port}"}
        for number, (port, admin_port) in enumerate(nodes, 1):
            environment[f"HAPROXY_NODE{number}"] = f"127.0.0.1:{port}"
            environment[f"HAPROXY_NODE{number}_ADMIN_PORT"] = str(admin_port)
        return support.Process(self, ["haproxy", "-db", "-f", CONFIGURATION], **environment)

    def watch(self, count):
        return [support.start_watch(self, self.port, "--count", "1") for _ in range(count)]

    def test_streams_are_spread_over_the_nodes_that_are_ready(self):
        redis = support.start_redis(self)
        nodes = [support.start_node(self, redis.port, "--drain.delay", delay) for delay in ("20s", "0s")]
        dead = support.free_ports(2)
        haproxy = self.start_haproxy([(node.port, node.admin_port) for node in nodes] + [(dead, dead + 1)])
        haproxy.wait_for_output("Server nodes/node3 is DOWN")

        watchers = self.watch(4)
        for node in nodes:
            support.wait_for("each node has half", lambda: support.metric(node.admin_port, "subscriptions") == 2)
        support.publish(redis.port, "trace:s1", EVENT)
        for watcher in watchers:
            self.assertEqual(watcher.wait(), 0, watcher.output)
            self.assertIn(EVENT, watcher.output)

        nodes[0].child.send_signal(signal.SIGTERM)
        haproxy.wait_for_output("Server nodes/node1 is DOWN")
        self.assertIsNone(nodes[0].child.poll(), nodes[0].output)
        watchers = self.watch(3)
        support.wait_for("the other node has all", lambda: support.metric(nodes[1].admin_port, "subscriptions") == 3)
        support.publish(redis.port, "trace:s1", EVENT)
        self.assertEqual([watcher.wait() for watcher in watchers], [0, 0, 0])


if __name__ == "__main__":
    support.main()
