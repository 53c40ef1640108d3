"""The primary dies and a replica that lacks the end of the log takes its place: what came since is in the log once, and clients
have what the log has, or were told."""
import json
import unittest

import fleet
import sentinel
import support
import websocket

LOST_S = 0.6 # of events at the end of the log


class Failover(unittest.TestCase):
    def setUp(self):
        self.pair = sentinel.Pair(self)
        self.ports = f"{self.pair.primary.port},{self.pair.replica.port}"
        self.nodes = fleet.Fleet(self, server=self.pair.primary, through=[self.pair.url] * 3)
        self.nodes.wander(subscriptions=fleet.SUBSCRIPTIONS[:2])

    def subscribe(self, node, **since):
        """The reply to a client that wants every event."""
        client = websocket.WebSocket(node.port)
        try:
            client.send(json.dumps({"id": 1, "op": "subscribe", "channels": ["trace:*"], **since}))
            while (message := json.loads(client.next())).get("id") != 1:
                pass
            return message["ok"]
        finally:
            client.socket.close()

    def fail_over(self):
        self.pair.stop_replicating()
        support.let_pass(LOST_S / 2)
        self.left_at = self.subscribe(self.nodes.nodes[0])["cursor"]
        support.let_pass(LOST_S / 2)
        self.pair.fail_over()
        self.nodes.redis = self.pair.primary
        support.wait_for("a recorder", lambda: self.nodes.recorder() is not None)

    def taken_by_the_first(self):
        """The numbers of the events that the first primary took."""
        published = self.nodes.published
        end = min(published["unheard"] + published["unknown"])
        self.assertGreater(max(published["heard"]), end, "nobody heard what came behind the failover")
        return {number for number in published["heard"] if number < end}

    def check_client(self, subscription, saw, lost):
        """Until it was told that the log is another one it has had each event once; and who was never told has had them all."""
        numbers = [number for _, number in saw["events"] if number is not None]
        told_at = min((at for at, gap in saw["gaps"] if gap["reason"] == "reset"), default=len(saw["events"]))
        until_told = [number for _, number in saw["events"][:told_at]]
        self.assertEqual(fleet.doubles(until_told), [], "seen twice")
        if told_at == len(saw["events"]):
            missed = [number for number in lost if number > min(numbers) and fleet.is_wanted(subscription, number)]
            self.assertLessEqual(set(missed), set(numbers), "missed and not told")

    def test_the_replica_lacks_the_end_of_the_log(self):
        nodes = self.nodes
        nodes.publish_during(self.fail_over, rate=fleet.RATE // 2, before_s=0.5, ports=self.ports)
        seen = nodes.end()
        before = self.taken_by_the_first()
        nodes.check_log(may_miss=before)
        nodes.check_clients(seen, gaps=("reset", "unrecorded"))
        lost = before - set(nodes.numbers_in_log())
        self.assertTrue(lost, "the replica had it all")
        for wanderer, saw in zip(nodes.wanderers, seen):
            self.check_client(wanderer.subscription, saw, lost)
        for node in nodes.nodes:
            self.assertFalse(self.subscribe(node, since=self.left_at)["recovered"], "what it missed is gone")


if __name__ == "__main__":
    support.main()
