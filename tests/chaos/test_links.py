"""Whatever happens to the links between the nodes and Redis: each event is in the log once, and each client sees the log."""
import unittest

import fleet
import proxy
import redis
import support


class Links(unittest.TestCase):
    def judge(self, nodes, may_miss=(), **allowed):
        seen = nodes.end()
        nodes.check_log(may_miss=may_miss)
        nodes.check_clients(seen, **allowed)

    def fleet_behind_proxies(self):
        server = redis.Server(self)
        proxies = [proxy.Proxy(self, server.port) for _ in range(3)]
        nodes = fleet.Fleet(self, server=server, through=[one.port for one in proxies])
        nodes.wander(subscriptions=fleet.SUBSCRIPTIONS[:2])
        return nodes, proxies

    def test_each_node_loses_its_links_in_turn(self):
        nodes, proxies = self.fleet_behind_proxies()

        def cut():
            for one in proxies:
                one.cut()
                support.let_pass(0.7)

        nodes.publish_during(cut, rate=fleet.RATE // 2)
        self.judge(nodes)

    def test_the_recorders_links_are_slow(self):
        nodes, proxies = self.fleet_behind_proxies()

        def delay():
            slow = proxies[nodes.nodes.index(nodes.recorder())]
            slow.delay_s = 0.2
            support.let_pass(2)
            slow.delay_s = 0

        nodes.publish_during(delay, rate=fleet.RATE // 2)
        self.judge(nodes)

    def test_the_recorder_hears_nothing_for_a_while(self):
        nodes, proxies = self.fleet_behind_proxies()

        def swallow():
            deaf = proxies[nodes.nodes.index(nodes.recorder())]
            deaf.is_frozen = True
            support.let_pass(1.5) # longer than others wait before they take the lease by force, shorter than record.grace
            deaf.is_frozen = False

        nodes.publish_during(swallow, rate=fleet.RATE // 2)
        self.judge(nodes)

    def test_redis_kills_one_subscriber_after_another(self):
        nodes = fleet.Fleet(self)
        nodes.wander()

        def kill():
            for line in nodes.redis.ask("CLIENT", "LIST", "TYPE", "pubsub").decode().splitlines():
                nodes.redis.ask("CLIENT", "KILL", "ID", line.split()[0].removeprefix("id="))
                support.let_pass(0.7)

        nodes.publish_during(kill)
        self.judge(nodes)

    def test_redis_kills_every_subscriber_at_once(self):
        """What was in the buffers of all of them at that moment, nobody has. With three in a row it may take longer than record.grace until
        somebody records again: then clients are told."""
        nodes = fleet.Fleet(self)
        nodes.wander()
        nodes.publish_during(lambda: [(nodes.redis.ask("CLIENT", "KILL", "TYPE", "pubsub"), support.let_pass(0.7)) for _ in range(3)])
        self.judge(nodes, may_miss=nodes.published["heard"], gaps=("unrecorded",))

    def test_redis_kills_a_slow_subscriber_for_its_output_buffer(self):
        nodes = fleet.Fleet(self)
        nodes.wander(subscriptions=fleet.SUBSCRIPTIONS[:2])
        nodes.redis.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 512kb 2")

        def stall():
            node = next(node for node in nodes.nodes if node is not nodes.recorder())
            node.child.send_signal(support.signal.SIGSTOP)
            try:
                support.let_pass(3)
            finally:
                node.child.send_signal(support.signal.SIGCONT)

        nodes.publish_during(stall)
        self.judge(nodes)


if __name__ == "__main__":
    support.main()
