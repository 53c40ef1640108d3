"""Holds the rules of the house: floors, fences around libraries, sizes, documentation, tests. Each finding says where, what
rule is broken and the way out.

    lint.py SOURCE_DIR [--reference PROGRAM]
"""
import argparse
import pathlib
import re
import subprocess
import sys

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 80

# Library header -> the rooms (or files) that may include it. One library, one room.
FENCES = {
    r"hiredis/": ["gateway/redis", "tests/unit/redis", "tests/support", "tests/integration", "tests/bench"],
    r"event2/": ["gateway/redis", "gateway/worker", "tests/support/redis"],
    r"libwebsockets": ["gateway/wire"],
    r"uv\.h": ["gateway/wire"],
    r"nghttp2/": ["gateway/wire"],
    r"ini\.h": ["gateway/config"],
    r"(openssl/|gnutls/)": ["gateway/redis/tls.c", "gateway/auth", "gateway/wire/openssl.h", "common/client/secure.c", "tests/support/token.c"],
    r"zlib\.h": ["common/codec"],
    r"msgpack": ["tests/unit"],
    r"(json-c/|json\.h)": ["tests/unit"],
    r"uthash\.h": ["common/data/table.c", "gateway/filter", "gateway/limiter", "gateway/feed"],
    r"xxhash\.h": ["common/data"],
    r"jwt\.h": ["tests/unit/auth"],
    r"check\.h": ["tests"],
}

# Modules of floors 0 to 3 whose own header no unit test includes, and why.
TESTED_ELSEWHERE = {
    "common/base/err.c": "a switch over an enum, whose completeness the compiler checks",
    "common/base/log_line.c": "private to log.c, tested through it",
    "common/codec/json_reader.c": "private to the room, tested through json.h",
    "common/codec/json_text.c": "private to the room, tested through json.h",
    "common/codec/keys.c": "private to the room, tested through json.h and msgpack.h",
    "common/codec/msgpack_read.c": "private to the room, tested through msgpack.h",
    "common/codec/msgpack_write.c": "private to the room, tested through msgpack.h",
    "common/client/secure.c": "TLS with real nodes, tested by tests/tls",
    "gateway/config/option.c": "private to the room, tested through config.h",
    "gateway/config/value.c": "private to the room, tested through config.h",
    "gateway/config/load.c": "holds config_load, tested through config.h",
    "gateway/metrics/metrics_table.c": "private to the room, tested through metrics.h",
    "gateway/filter/where.c": "private to the room, tested through filter.h",
    "gateway/session/regrant.c": "private to the room, tested through the op auth by test_credentials.c",
}

LOG_ROOMS_FILE = "gateway/config/check.c"
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


class House:
    """The source tree, and the findings in it."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.findings = []
        self.floors, self.sideways = {}, {}
        for line in (self.root / "docs/layers.txt").read_text().splitlines():
            words = line.split("#")[0].split()
            if words:
                self.floors[words[1]] = int(words[0])
                self.sideways[words[1]] = set(words[2:])

    def find(self, where, rule, way_out):
        self.findings.append(f"{where}: {rule}\n    -> {way_out}")

    def files(self, *folders, suffixes=(".c", ".h", ".def")):
        for folder in folders:
            for path in sorted((self.root / folder).rglob("*")):
                if path.suffix in suffixes and path.is_file():
                    yield path.relative_to(self.root).as_posix(), path.read_text(errors="replace")

    def room_of(self, name):
        """The longest room of layers.txt that holds a file."""
        rooms = [room for room in self.floors if name == room or name.startswith(room + "/")]
        return max(rooms, key=len, default=None)

    def may_use(self, user, used):
        lower = self.floors[used] < self.floors[user]
        if user == "gateway/tools":
            return used.startswith("common/") or used == user
        return used == user or lower or used in self.sideways[user]


def code_only(text):
    """The text with comments and the insides of strings blanked, lines kept."""
    def blank(match):
        kept = "".join(c if c == "\n" else " " for c in match.group()[1:-1])
        return match.group()[0] + kept + match.group()[-1]
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.S)


def functions(text):
    """Name, first line and length of each function: a body that opens with a brace in the first column."""
    lines = code_only(text).splitlines()
    for start, line in enumerate(lines):
        if line != "{" or start == 0:
            continue
        end = next((at for at in range(start, len(lines)) if lines[at].startswith("}")), len(lines) - 1)
        head = start - 1
        while head > 0 and lines[head].startswith(("\t", " ")):
            head -= 1
        name = re.search(r"(\w+)\s*\(", lines[head])
        yield (name.group(1) if name else "?"), head + 1, end - head + 1


def check_floors(house):
    for name, text in house.files("common", "gateway"):
        room = house.room_of(name)
        if room is None:
            house.find(name, "belongs to no room of docs/layers.txt", "put it into a room, or name the room and its floor there")
            continue
        for kind, header in INCLUDE.findall(text):
            used = house.room_of(header)
            if kind == '"' and used is None:
                house.find(name, f"includes \"{header}\", not a path from the root", 'include "room/file.h" from the root')
            elif kind == '"' and not house.may_use(room, used):
                house.find(name, f"{room} (floor {house.floors[room]}) includes {header} of floor {house.floors[used]}",
                           "go through a small vtable of the lower room that app fills in, or justify an arrow in docs/layers.txt")


def check_cmake(house):
    text = (house.root / "CMakeLists.txt").read_text()
    calls = [call.split() for call in re.findall(r"^tracegate_room\(([^)]*)\)", text, re.M)]
    folders = {words[0]: words[1] for words in calls}
    for words in calls:
        for used in words[2:]:
            if used in folders and not house.may_use(words[1], folders[used]):
                house.find("CMakeLists.txt", f"room {words[0]} links {used}, which docs/layers.txt does not let it use",
                           "remove the argument, or justify an arrow in docs/layers.txt")
    for folder in folders.values():
        if folder not in house.floors:
            house.find("CMakeLists.txt", f"room {folder} is not in docs/layers.txt", "name it there with its floor")


def check_fences(house):
    for name, text in house.files("common", "gateway", "tests"):
        for kind, header in INCLUDE.findall(text):
            for pattern, rooms in FENCES.items():
                allowed = any(name == room or name.startswith(room + "/") for room in rooms)
                if kind == "<" and re.match(pattern, header) and not allowed:
                    house.find(name, f"includes <{header}>, which is fenced to {', '.join(rooms)}",
                               "ask that room for what is needed through its own header")


def check_sizes(house):
    for name, text in house.files("common", "gateway", "tests", suffixes=(".c", ".h", ".def", ".py", ".sh")):
        lines = text.count("\n")
        if lines > FILE_LINES_MAX:
            house.find(name, f"has {lines} lines, more than {FILE_LINES_MAX}", "split it by nouns: one concept, one file")
        if name.endswith(".c"):
            for function, line, length in functions(text):
                if length > FUNCTION_LINES_MAX:
                    house.find(f"{name}:{line}", f"{function} has {length} lines, more than {FUNCTION_LINES_MAX}",
                               "name its steps as functions, or make it a table")


def check_documentation(house, program):
    for page in ("configuration", "metrics"):
        path = house.root / "docs" / f"{page}.md"
        made = subprocess.run([program, page], stdout=subprocess.PIPE, check=True).stdout.decode()
        if not path.exists() or path.read_text() != made:
            house.find(f"docs/{page}.md", "is not what the table gives", "cmake --build <folder> --target docs, and commit it")


def check_words(house):
    marker = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    for name, text in house.files("common", "gateway", "tests", "deploy", "docs",
                                  suffixes=(".c", ".h", ".def", ".py", ".sh", ".txt", ".md", ".yaml")):
        for number, line in enumerate(text.splitlines(), 1):
            if marker.search(line):
                house.find(f"{name}:{number}", "leaves work for later", "do it now, or take it out")


def check_sleep(house):
    call = re.compile(r"\b(u|nano|clock_nano|time\.)?sleep\s*\(")
    for name, text in house.files("tests", suffixes=(".c", ".h")):
        for number, line in enumerate(code_only(text).splitlines(), 1):
            if call.search(line):
                house.find(f"{name}:{number}", "a test sleeps", "wait for an event or a metric with a deadline (poll)")


def check_secrets(house):
    """How long a comparison takes must not tell how much of a secret was guessed."""
    call = re.compile(r"\b(strcmp|strncmp|memcmp|bcmp|strcasecmp|strncasecmp)\s*\(")
    for name, text in house.files("gateway/auth", suffixes=(".c", ".h")):
        for number, line in enumerate(code_only(text).splitlines(), 1):
            if call.search(line):
                house.find(f"{name}:{number}", "compares in a time that depends on what it compares",
                           "CRYPTO_memcmp for secrets, or compare hashes; slice_is() for what is public")


def check_unit_tests(house):
    """A module is tested where a test includes its header or, if it has none, any header of its room."""
    tests = dict(house.files("tests/unit", suffixes=(".c", ".h")))
    included = {header for text in tests.values() for _, header in INCLUDE.findall(text)}
    rooms = {house.room_of(header) for header in included}
    for name, _ in house.files("common", "gateway", suffixes=(".c",)):
        room = house.room_of(name)
        if room is None or house.floors[room] > 3 or name in TESTED_ELSEWHERE:
            continue
        own = name[:-2] + ".h"
        if not (own in included or (room in rooms and not (house.root / own).exists())):
            house.find(name, "no unit test includes its header",
                       f"write tests/unit/{room.split('/')[1]}/test_{pathlib.Path(name).stem}.c, or list it with a reason in lint.py")
    for name in TESTED_ELSEWHERE:
        if not (house.root / name).exists():
            house.find("tests/lint/lint.py", f"lists {name}, which is not there", "take it off the list")


def check_log_rooms(house):
    """log.level refuses a room that it does not know: so it must know each that logs."""
    path, used = house.root / LOG_ROOMS_FILE, {}
    if not path.exists():
        return
    known = set(re.findall(r'"(\w+)"', re.search(r"#define LOG_ROOMS (.*)", path.read_text()).group(1)))
    for name, text in house.files("gateway", "common"):
        for room in re.findall(r'#define ROOM "(\w+)"|\blog_(?:debug|info|warn|error)\("(\w+)"', text):
            used.setdefault(room[0] or room[1], name)
    for room, name in used.items():
        if room not in known:
            house.find(name, f'logs as "{room}", which log.level does not know', f"name it in LOG_ROOMS of {LOG_ROOMS_FILE}, and in the help of log.level")
    for room in known - used.keys():
        house.find(LOG_ROOMS_FILE, f'knows the room "{room}", which logs nothing', "take it off the list")


def check_house(root, program=None):
    house = House(root)
    for check in (check_floors, check_cmake, check_fences, check_sizes, check_words, check_sleep, check_secrets, check_unit_tests, check_log_rooms):
        check(house)
    if program:
        check_documentation(house, program)
    return house.findings


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("--reference", help="the program that prints the pages of docs/ made from tables")
    arguments = parser.parse_args()
    findings = check_house(arguments.root, arguments.reference)
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
