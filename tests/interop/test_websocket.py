"""The WebSocket clients of npm (ws, undici) in both encodings: everything that the protocol has, and what happens to clients that are
slow, that drop, and whose node dies."""
import unittest

import interop
import support


class WebSocket(unittest.TestCase):
    def test_clients_of_npm_work_as_they_are(self):
        interop.start_nodes(self, 2, "--heartbeat.interval", "2s")
        has_deflate = any("deflate" in name for name in support.printed_configuration())
        interop.run(self, "websocket.js", TEST_DEFLATE="1" if has_deflate else "")

    def test_slow_and_dropping_clients_resume_in_every_encoding(self):
        interop.start_nodes(self, 2)
        interop.run(self, "wandering.js")


if __name__ == "__main__":
    support.main()
