"""Each rule of lint.py finds what breaks it, and nothing in a house that is in order."""
import pathlib
import tempfile
import unittest

import lint

LAYERS = "0 common/base\n1 common/codec\n2 gateway/filter\n4 gateway/wire\n4 gateway/worker gateway/wire\n"
CMAKE = "tracegate_room(base common/base)\ntracegate_room(filter gateway/filter base)\n"


class Rules(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.write("docs/layers.txt", LAYERS)
        self.write("CMakeLists.txt", CMAKE)
        self.addCleanup(lint.TESTED_ELSEWHERE.update, dict(lint.TESTED_ELSEWHERE))
        lint.TESTED_ELSEWHERE.clear()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def assert_found(self, words):
        findings = lint.check_house(self.root)
        self.assertEqual(len(findings), 1, findings)
        self.assertIn(words, findings[0])
        self.assertIn("\n    -> ", findings[0])

    def test_a_house_in_order_has_no_finding(self):
        self.write("common/base/a.c", '#include "common/base/a.h"\nint a(void)\n{\n\treturn 0;\n}\n')
        self.write("gateway/worker/w.c", '#include "gateway/wire/x.h"\n#include <event2/event.h>\n#include <stdio.h>\n')
        self.write("tests/unit/base/test_a.c", '#include "common/base/a.h"\n')
        self.assertEqual(lint.check_house(self.root), [])

    def test_a_room_may_not_look_up(self):
        self.write("common/base/a.h", '#include "gateway/filter/filter.h"\n')
        self.assert_found("floor 2")

    def test_a_room_may_not_look_sideways_without_an_arrow(self):
        self.write("gateway/wire/a.h", '#include "gateway/worker/worker.h"\n')
        self.assert_found("includes gateway/worker/worker.h")

    def test_a_path_is_from_the_root(self):
        self.write("gateway/wire/a.h", '#include "b.h"\n')
        self.assert_found("not a path from the root")

    def test_a_room_may_not_link_up(self):
        self.write("CMakeLists.txt", CMAKE + "tracegate_room(codec common/codec filter)\n")
        self.assert_found("room codec links filter")

    def test_a_library_stays_in_its_room(self):
        self.write("gateway/filter/a.h", "#include <libwebsockets.h>\n")
        self.assert_found("fenced to gateway/wire")

    def test_a_long_file_is_found(self):
        self.write("gateway/filter/a.h", "\n" * 601)
        self.assert_found("601 lines")

    def test_a_long_function_is_found(self):
        self.write("gateway/wire/a.c", "static int long_one(int a,\n\t\tint b)\n{\n" + "\tif (a) {\n\t}\n" * 40 + "}\n")
        self.assert_found("gateway/wire/a.c:1: long_one has 84 lines")

    def test_work_left_for_later_is_found(self):
        self.write("gateway/wire/a.c", "/* TO" "DO: later */\n")
        self.assert_found("leaves work for later")

    def test_a_sleeping_test_is_found(self):
        self.write("tests/unit/base/test_a.c", "int main(void)\n{\n\tusleep(1);\n}\n")
        self.assert_found("a test sleeps")

    def test_a_comparison_of_secrets_that_takes_its_time_is_found(self):
        self.write("docs/layers.txt", LAYERS + "2 gateway/auth\n")
        self.write("gateway/auth/a.h", "static int a(void)\n{\n\treturn memcmp(b, c, 1) + CRYPTO_memcmp(b, c, 1); /* strcmp( */\n}\n")
        self.assert_found("compares in a time")

    def test_sleep_in_a_comment_or_text_is_no_sleep(self):
        self.write("tests/unit/base/test_a.c", '/* sleep(1) */ const char *a = "sleep(1)";\n')
        self.assertEqual(lint.check_house(self.root), [])

    def test_a_room_that_the_log_does_not_know_is_found(self):
        self.write("docs/layers.txt", LAYERS + "2 gateway/config\n")
        self.write(lint.LOG_ROOMS_FILE, '#define LOG_ROOMS "wire"\n')
        self.write("tests/unit/config/test_config.c", '#include "gateway/config/config.h"\n')
        self.write("gateway/worker/w.c", '#define ROOM "wire"\nvoid w(void)\n{\n\tlog_info("worker", "x");\n}\n')
        self.assert_found('logs as "worker"')

    def test_a_module_without_unit_test_is_found(self):
        self.write("gateway/filter/a.c", "int a;\n")
        self.assert_found("tests/unit/filter/test_a.c")


if __name__ == "__main__":
    unittest.main()
