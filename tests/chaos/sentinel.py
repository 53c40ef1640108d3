"""A primary and its replica under three real sentinels, as nodes find them through a redis-sentinel:// URL."""
import os

import redis
import support

SENTINELS = 3
CONFIGURATION = """port {port}
bind 127.0.0.1
protected-mode no
dir {folder}
sentinel monitor main 127.0.0.1 {primary} 2
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 5000
"""


class Sentinel:
    """It keeps what it knows in its configuration file, which it rewrites."""

    def __init__(self, test, folder, primary_port):
        self.port = support.free_ports(1)
        path = os.path.join(folder, f"sentinel-{self.port}.conf")
        with open(path, "w") as file:
            file.write(CONFIGURATION.format(port=self.port, folder=folder, primary=primary_port))
        self.process = support.Process(test, ["redis-sentinel", path])
        self.process.wait_for_output("+monitor master main")

    def ask(self, *words):
        client = redis.Client(self.port)
        try:
            return client.ask("SENTINEL", *words)
        finally:
            client.close()

    def is_informed(self):
        return len(self.ask("replicas", "main")) == 1 and len(self.ask("sentinels", "main")) == SENTINELS - 1


class Pair:
    """The server that is primary is given by `primary`, also behind fail_over()."""

    def __init__(self, test):
        quick = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
        self.primary = redis.Server(test, *quick)
        self.replica = redis.Server(test, *quick, "--replicaof", "127.0.0.1", str(self.primary.port))
        support.wait_for("the replica has all", lambda: b"master_link_status:up" in self.replica.ask("INFO", "replication"))
        self.sentinels = [Sentinel(test, self.replica.folder.name, self.primary.port) for _ in range(SENTINELS)]
        support.wait_for("the sentinels know each other", lambda: all(sentinel.is_informed() for sentinel in self.sentinels))
        places = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        self.url = f"redis-sentinel://{places}/main"

    def stop_replicating(self):
        """What the primary takes from now on it alone has."""
        self.replica.ask("REPLICAOF", "127.0.0.1", "1")

    def is_replica_promoted(self):
        try:
            return self.replica.ask("ROLE")[0] == b"master"
        except OSError: # it closes all connections then
            return False

    def fail_over(self):
        """The primary dies; returns when the other one is told to be primary."""
        self.primary.kill()
        support.wait_for("a new primary", self.is_replica_promoted)
        self.primary, self.replica = self.replica, self.primary
