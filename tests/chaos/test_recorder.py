"""Whatever happens to the node that records: each event is in the log once, and each client sees the log."""
import signal
import unittest

import fleet
import support


class Recorder(unittest.TestCase):
    def judge(self, nodes, **allowed):
        seen = nodes.end()
        nodes.check_log()
        nodes.check_clients(seen, **allowed)

    def test_nothing_happens(self):
        nodes = fleet.Fleet(self)
        nodes.wander()
        nodes.publish_during(lambda: None)
        self.judge(nodes)

    def test_the_recorder_is_killed_twice(self):
        nodes = fleet.Fleet(self)
        nodes.wander()

        def kill():
            node = nodes.recorder()
            node.child.kill()
            node.child.wait()
            support.wait_for("another recorder", lambda: nodes.recorder() is not None)

        nodes.publish_during(lambda: (kill(), support.let_pass(0.5), kill()))
        self.judge(nodes)

    def test_the_recorder_is_killed_and_started_again_at_once(self):
        nodes = fleet.Fleet(self, nodes=2)
        nodes.wander(subscriptions=fleet.SUBSCRIPTIONS[:2])

        def round_of_restart():
            nodes.restart(nodes.recorder())
            support.wait_for("another recorder", lambda: nodes.recorder() is not None)
            nodes.settle()

        def restarts():
            for _ in range(8):
                round_of_restart()

        nodes.publish_during(restarts, rate=fleet.RATE // 10)
        self.judge(nodes)
        nodes.check_order()

    def test_all_nodes_are_killed_and_started_again_at_once(self):
        nodes = fleet.Fleet(self)

        def restarts():
            for _ in range(3):
                for node in list(nodes.nodes):
                    nodes.restart(node)
                support.wait_for("a recorder", lambda: nodes.recorder() is not None)
                nodes.settle()

        nodes.publish_during(restarts, rate=fleet.RATE // 10)
        nodes.settle()
        nodes.check_order()

    def test_the_recorder_drains(self):
        nodes = fleet.Fleet(self)
        nodes.wander()

        def drain():
            node = nodes.recorder()
            node.child.send_signal(signal.SIGTERM)
            support.wait_for("it ended", lambda: node.child.poll() is not None)

        nodes.publish_during(drain)
        self.judge(nodes)

    def test_the_recorder_freezes_past_its_lease_and_wakes(self):
        nodes = fleet.Fleet(self)
        nodes.wander(subscriptions=fleet.SUBSCRIPTIONS[:2])

        def freeze():
            node = nodes.recorder()
            node.child.send_signal(signal.SIGSTOP)
            try:
                support.let_pass(1.5)
            finally:
                node.child.send_signal(signal.SIGCONT)

        nodes.publish_during(freeze)
        self.judge(nodes)

    def test_two_publishers_of_identical_payloads(self):
        nodes = fleet.Fleet(self)
        payload = '{"sessionId":"s1","type":"tool.call","same":true}'
        other = fleet.Script(self, "publisher.py", nodes.redis.port, 1000, 0, payload)
        nodes.publish_during(lambda: (nodes.recorder().child.kill(), support.let_pass(1)), rate=1000, payload=payload)
        heard = len(other.result()["heard"]) + len(nodes.published["heard"])
        nodes.settle()
        client = nodes.redis.client()
        stored = len(client.entries("tg:log"))
        client.close()
        self.assertEqual(stored, heard)


if __name__ == "__main__":
    support.main()
