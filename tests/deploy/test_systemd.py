"""The unit for systemd, as far as it can be proved without running systemd."""
import configparser
import os
import shutil
import subprocess
import tempfile
import unittest

import support

UNIT = support.path("deploy", "systemd", "tracegate.service")


class Unit(unittest.TestCase):
    def setUp(self):
        parser = configparser.ConfigParser(interpolation=None)
        parser.optionxform = str
        parser.read(UNIT)
        self.service = parser["Service"]

    def test_systemd_has_nothing_to_say_of_it(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze here")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        copy = os.path.join(folder.name, "tracegate.service")
        with open(UNIT) as unit, open(copy, "w") as out:
            out.write(unit.read().replace("/usr/local/bin/tracegate", support.GATEWAY))
        checked = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, timeout=support.DEADLINE_S)
        said = [line for line in checked.stderr.splitlines() if "tracegate.service" in line]
        self.assertEqual((checked.returncode, said), (0, []), checked.stderr)

    def test_a_node_has_time_to_drain_and_descriptors_for_its_clients(self):
        production = support.printed_configuration("--preset", "production")
        self.assertGreater(int(self.service["TimeoutStopSec"]), support.drain_seconds(production))
        self.assertGreater(int(self.service["LimitNOFILE"]), 3 * int(production["limits.connections"]) + 1024)

    def test_a_node_takes_the_words_of_its_command(self):
        words = [word for word in self.service["ExecStart"].split()[1:] if not word.startswith("/")]
        words.remove("--config")
        checked = subprocess.run([support.GATEWAY, *words, "--auth.required", "no", "--check-config"], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)


if __name__ == "__main__":
    support.main()
