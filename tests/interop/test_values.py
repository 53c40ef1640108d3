"""Ten thousand random JSON values, and what is no JSON, through every encoding."""
import unittest

import interop
import support


class Values(unittest.TestCase):
    def test_values_come_out_as_they_went_in(self):
        interop.start_nodes(self, 1)
        interop.run(self, "values.js")


if __name__ == "__main__":
    support.main()
