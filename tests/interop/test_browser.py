"""Chromium's own WebSocket, EventSource and fetch in a page of another origin, and the examples of docs/clients.md."""
import shutil
import unittest

import interop
import support


class Browser(unittest.TestCase):
    def test_chromium_and_the_examples_resume(self):
        if not shutil.which("chromium"):
            self.fail("chromium is missing (package chromium; deploy/lib/install.sh test installs it)")
        page_port = support.free_ports(20) + 19  # the first ones are for Redis and the nodes
        interop.start_nodes(self, 2, "--cors.origins", f"http://127.0.0.1:{page_port}")
        has_deflate = any("deflate" in name for name in support.printed_configuration())
        interop.run(self, "browser.js", TEST_PAGE_PORT=str(page_port), TEST_DEFLATE="1" if has_deflate else "")


if __name__ == "__main__":
    support.main()
