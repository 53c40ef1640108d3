"""The schemas themselves, the examples of the pages, and what the clients of the integration tests saw (TEST_RECORD_MESSAGES)."""
import os
import subprocess
import tempfile
import unittest

import interop
import support

# Programs whose clients see about every message there is.
RECORDED = ("test_live", "test_live_requests", "test_limits_clients", "test_replay", "test_state")


class Schemas(unittest.TestCase):
    def test_schemas_hold_for_all_that_is_written_and_seen(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in RECORDED:
                program = os.path.join(os.environ["TEST_PROGRAMS"], f"integration_integration_{name}")
                # Whether they pass is told by themselves; here only what came over their connections counts.
                subprocess.run([program], capture_output=True, timeout=150, check=False,
                               env={**os.environ, "TEST_RECORD_MESSAGES": folder, "CK_DEFAULT_TIMEOUT": "60"})
            interop.run(self, "schemas.js", TEST_RECORDED_MESSAGES=folder)


if __name__ == "__main__":
    support.main()
