"""The HTTP interface and Server-Sent Events as undici and eventsource see them."""
import unittest

import interop
import support


class Http(unittest.TestCase):
    def test_clients_of_npm_work_as_they_are(self):
        interop.start_nodes(self, 2, "--cors.origins", "https://app.example.com", "--heartbeat.interval", "2s")
        interop.run(self, "http.js")


if __name__ == "__main__":
    support.main()
