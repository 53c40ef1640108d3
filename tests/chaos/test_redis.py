"""Whatever happens to Redis: what it still holds is never doubled, and clients are told what it lost."""
import threading
import unittest

import fleet
import redis
import support


class Redis(unittest.TestCase):
    def judge(self, nodes, may_miss=(), **allowed):
        seen = nodes.end()
        nodes.check_log(may_miss=may_miss)
        nodes.check_clients(seen, **allowed)

    def test_redis_pauses(self):
        nodes = fleet.Fleet(self)
        nodes.wander()
        nodes.publish_during(lambda: (nodes.redis.ask("CLIENT", "PAUSE", "1500"), support.let_pass(2)))
        self.judge(nodes)

    def test_redis_restarts_with_everything_on_disk(self):
        server = redis.Server(self, "--appendonly", "yes", "--appendfsync", "always")
        nodes = fleet.Fleet(self, server=server)
        nodes.wander()
        nodes.publish_during(lambda: (server.kill(), support.let_pass(0.5), server.start(), support.let_pass(2)), rate=fleet.RATE // 5)
        self.judge(nodes, may_miss=nodes.published["heard"], gaps=("unrecorded",))

    def test_redis_restarts_empty(self):
        server = redis.Server(self, "--appendonly", "no")
        nodes = fleet.Fleet(self, server=server)
        nodes.wander()
        nodes.publish_during(lambda: (server.kill(), support.let_pass(0.5), server.start(), support.let_pass(2)))
        self.judge(nodes, may_miss=nodes.published["heard"], gaps=("reset", "unrecorded"))

    def test_the_log_is_flushed(self):
        nodes = fleet.Fleet(self)
        nodes.wander()
        before = []
        nodes.publish_during(lambda: (before.append(nodes.redis.ask("FLUSHALL")), support.let_pass(1)))
        self.judge(nodes, may_miss=nodes.published["heard"], gaps=("reset", "unrecorded"))

    def test_redis_has_no_memory_for_a_while(self):
        nodes = fleet.Fleet(self)
        nodes.wander(subscriptions=fleet.SUBSCRIPTIONS[:1])

        def starve():
            nodes.redis.ask("CONFIG", "SET", "maxmemory", "1mb")
            support.let_pass(3)
            nodes.redis.ask("CONFIG", "SET", "maxmemory", "0")

        nodes.publish_during(starve, rate=fleet.RATE // 2, after_s=4)
        self.judge(nodes, gaps=("unrecorded",))

    def test_redis_forbids_to_write_for_a_while(self):
        nodes = fleet.Fleet(self)
        nodes.wander(subscriptions=fleet.SUBSCRIPTIONS[:1])

        def forbid():
            nodes.redis.ask("ACL", "SETUSER", "default", "-xadd")
            support.let_pass(3)
            nodes.redis.ask("ACL", "SETUSER", "default", "+xadd")

        nodes.publish_during(forbid, rate=fleet.RATE // 2, after_s=4)
        self.judge(nodes, gaps=("unrecorded",))

    def test_the_scripts_are_forgotten(self):
        nodes = fleet.Fleet(self)
        nodes.wander()
        nodes.publish_during(lambda: [(nodes.redis.ask("SCRIPT", "FLUSH"), support.let_pass(0.2)) for _ in range(5)])
        self.judge(nodes)

    def test_an_id_from_the_far_future_stands_in_the_log(self):
        nodes = fleet.Fleet(self)
        nodes.wander()
        nodes.publish_during(lambda: nodes.redis.ask("XADD", "tg:log", "9999999999999-0", "c", "trace:far",
                                                     "p", '{"sessionId":"s3","type":"end"}'))
        self.judge(nodes)

    def test_the_log_is_trimmed_under_its_readers(self):
        nodes = fleet.Fleet(self, options=("--history.ring_events", "1000"))
        nodes.wander(visit_s=0.3, subscriptions=fleet.SUBSCRIPTIONS[:1])
        is_over = threading.Event()

        def trim():
            while not is_over.wait(0.1):
                nodes.redis.ask("XTRIM", "tg:log", "MAXLEN", 500)

        trimmer = threading.Thread(target=trim)
        trimmer.start()
        try:
            nodes.publish_during(lambda: support.let_pass(2))
        finally:
            is_over.set()
            trimmer.join()
        seen = nodes.end()
        nodes.check_clients(seen, gaps=("trimmed",))


if __name__ == "__main__":
    support.main()
