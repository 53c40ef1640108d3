"""What a release binary must have so that a fault in it is hard to use, read from the binary itself."""
import os
import subprocess
import unittest

import support


def readelf(option, program):
    return subprocess.run(["readelf", "-W", option, program], capture_output=True, text=True, check=True).stdout


class Hardening(unittest.TestCase):
    def setUp(self):
        self.programs = os.environ["TEST_HARDENED"].split(":")
        self.assertTrue(all(os.path.exists(program) for program in self.programs))

    def test_its_addresses_are_random(self):
        for program in self.programs:
            self.assertRegex(readelf("-h", program), r"Type:\s+DYN", program)
            self.assertIn("PIE", readelf("-d", program), program)

    def test_what_the_linker_wrote_is_read_only_before_it_runs(self):
        for program in self.programs:
            self.assertIn("GNU_RELRO", readelf("-l", program), program)
            self.assertRegex(readelf("-d", program), r"FLAGS_1.*NOW", program)
            self.assertNotIn("TEXTREL", readelf("-d", program), program)

    def test_nothing_is_writable_and_executable(self):
        for program in self.programs:
            segments = [line.split() for line in readelf("-l", program).splitlines()]
            rights = [(fields[0], "".join(fields[6:-1])) for fields in segments if fields and fields[0] in ("LOAD", "GNU_STACK")]
            self.assertIn("GNU_STACK", dict(rights), program)
            self.assertFalse([some for _, some in rights if "W" in some and "E" in some], program)
            self.assertEqual([some for name, some in rights if name == "LOAD" and "E" in some], ["RE"], program)

    def test_stacks_and_buffers_are_guarded(self):
        for program in self.programs:
            symbols = readelf("--dyn-syms", program)
            self.assertIn("__stack_chk_fail", symbols, program)
            self.assertRegex(symbols, r"__\w+_chk\b", program)

    def test_the_flags_stand_in_the_preset_of_releases(self):
        with open(support.path("CMakePresets.json")) as file:
            self.assertIn('"TRACEGATE_HARDENING": "ON"', file.read())
        with open(support.path("docker", "Dockerfile")) as file:
            self.assertIn("cmake --preset release", file.read())


if __name__ == "__main__":
    support.main()
