"""nginx and HAProxy in front of a node, with their usual settings: silence does not end a stream, nothing is held back, everything of the
protocol comes through."""
import os
import tempfile
import unittest

import interop
import support

COMMANDS = {"nginx.conf": ["nginx", "-e", "stderr", "-c"], "haproxy.cfg": ["haproxy", "-db", "-f"]}


class Proxies(unittest.TestCase):
    def start_proxy(self, name):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, 0o755)
        listen = support.free_ports(1)
        with open(os.path.join(interop.HERE, name)) as source:
            text = source.read()
        path = os.path.join(folder.name, name)
        with open(path, "w") as file:
            file.write(text % {"folder": folder.name, "port": self.nodes[0].port, "listen": listen})
        proxy = support.Process(self, [*COMMANDS[name], path])
        support.wait_for(f"{name} answers\n", lambda: proxy.read(0) and support.http_get(listen, "/v1/sessions")[0] == 200)
        return listen

    def test_everything_comes_through_proxies(self):
        interop.start_nodes(self, 1, "--heartbeat.interval", "4s")
        ports = {name: self.start_proxy(name) for name in COMMANDS}
        interop.run(self, "proxies.js", TEST_PROXIES=" ".join(f"{name}={port}" for name, port in ports.items()))


if __name__ == "__main__":
    support.main()
