"""Fossil deltas: our encoder and decoder against those of fossil-delta, and subscriptions that ask for deltas."""
import os
import unittest

import interop
import support


class Delta(unittest.TestCase):
    def test_others_apply_our_deltas_and_we_theirs(self):
        interop.start_nodes(self, 2)
        interop.run(self, "delta.js", TEST_FOSSIL_TOOL=os.path.join(os.environ["TEST_PROGRAMS"], "interop_fossil_tool"))


if __name__ == "__main__":
    support.main()
