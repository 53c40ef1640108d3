"""What the deploy tests share: real processes that end with their test, waiting for an event or a state with a deadline."""
import os
import select
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

SOURCE = os.environ["TEST_SOURCE_DIR"]
GATEWAY = os.environ["TEST_GATEWAY"]
TGCLI = os.environ["TEST_TGCLI"]
DEADLINE_S = 30
os.environ["PATH"] += ":/usr/sbin:/sbin"


def path(*parts):
    return os.path.join(SOURCE, *parts)


def free_ports(count):
    """The first of count ports in a row that nobody uses, away from the range that the kernel gives out by itself."""
    first = 20000 + os.getpid() % 10000
    while True:
        if all(port_is_free(first + i) for i in range(count)):
            return first
        first += count


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def pause():
    select.select([], [], [], 0.02)


def let_pass(seconds):
    """Lets a stretch of time go by that is part of what is tested: how long something lasts, never a wait for something."""
    select.select([], [], [], seconds)


def wait_for(what, condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {DEADLINE_S} s: {what}")
        pause()


def http_get(port, target):
    """(status, body); status 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{target}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError:
        return 0, ""


def metric(admin_port, name):
    for line in http_get(admin_port, "/metrics")[1].splitlines():
        if line.startswith(f"tracegate_{name} "):
            return float(line.split()[1])
    return -1.0


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid):
    """All processes below one, by id, with their command lines."""
    found = {}
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            pids = [int(child) for child in children.read().split()]
    except OSError:
        return found
    for child in pids:
        try:
            with open(f"/proc/{child}/cmdline") as cmdline:
                found[child] = cmdline.read().replace("\0", " ")
        except OSError:
            continue
        found.update(descendants(child))
    return found


class Process:
    """A process whose output is read line by line."""

    def __init__(self, test, arguments, **environment):
        self.output = ""
        self.child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      env={**os.environ, **environment})
        os.set_blocking(self.child.stdout.fileno(), False)
        test.addCleanup(self.end)

    def end(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.child.stdout.close()

    def read(self, timeout_s):
        """Takes what comes within the time; false at the end of the output."""
        if select.select([self.child.stdout], [], [], timeout_s)[0]:
            part = self.child.stdout.read()
            if part == b"":
                return False
            self.output += part.decode(errors="replace")
        return True

    def wait_for_output(self, text):
        deadline = time.monotonic() + DEADLINE_S
        while text not in self.output:
            if not self.read(0.1) and text not in self.output:
                raise AssertionError(f"ended without saying {text!r}:\n{self.output}")
            if time.monotonic() > deadline:
                raise AssertionError(f"did not say {text!r}:\n{self.output}")

    def wait(self, deadline_s=DEADLINE_S):
        """Reads to the end of the output and gives the exit status."""
        deadline = time.monotonic() + deadline_s
        while self.read(0.1):
            if time.monotonic() > deadline:
                raise AssertionError(f"does not end:\n{self.output}")
        return self.child.wait(DEADLINE_S)


def start_redis(test):
    port = free_ports(1)
    redis = Process(test, ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                           "--dir", "/"])
    redis.wait_for_output("Ready to accept connections")
    redis.port = port
    return redis


def publish(redis_port, channel, payload):
    subprocess.run(["redis-cli", "-p", str(redis_port), "PUBLISH", channel, payload], check=True, capture_output=True)


def launch_node(test, redis, port, *options):
    """A node on a Redis on loopback, by its port, or by a URL, that listens on the port and, for admins, on the next one."""
    node = Process(test, [GATEWAY, "--listen", f"127.0.0.1:{port}", "--admin.listen", f"127.0.0.1:{port + 1}", *options],
                   TRACEGATE_REDIS_URL=redis if isinstance(redis, str) else f"redis://127.0.0.1:{redis}")
    node.redis, node.port, node.admin_port = redis, port, port + 1
    return node


def start_node(test, redis, *options):
    """One that is ready; .port and .admin_port say where."""
    node = launch_node(test, redis, free_ports(2), *options)
    wait_for("the node is ready", lambda: http_get(node.admin_port, "/readyz")[0] == 200)
    return node


def start_watch(test, port, *options):
    return Process(test, [TGCLI, "watch", "--url", f"ws://127.0.0.1:{port}", "--channel", "trace:*", *options])


def printed_configuration(*options):
    """The options as the gateway prints them with --print-config, by dotted name."""
    printed = subprocess.run([GATEWAY, *options, "--print-config"], capture_output=True, text=True, check=True).stdout
    configuration, section = {}, ""
    for line in printed.splitlines():
        if line.startswith("["):
            section = line.strip("[]") + "."
        elif "=" in line and line[0] not in ";#":
            name, value = line.split("=", 1)
            configuration[section + name.strip()] = value.strip()
    return configuration


def seconds(duration):
    number = duration.rstrip("mns")
    return float(number) * {"ms": 0.001, "s": 1, "m": 60}[duration[len(number):]]


def drain_seconds(configuration):
    """The longest that a terminating node takes."""
    return sum(seconds(configuration[name]) for name in ("drain.delay", "drain.time", "close.timeout"))


def main():
    """Runs all tests of the file, or those named on the command line."""
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
