"""What the interop tests share: the packages of package.json, installed once in the build folder, and programs for Node that
use them against real nodes. A program is a list of tests of Node's own runner; its exit status is their outcome."""
import fcntl
import hashlib
import json
import os
import shutil
import subprocess

import support

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.environ["TEST_INTEROP_DIR"]
PROGRAM_S = 150  # longer than any one wait of a program, which says what it waited for
# Clients may be busy for as long as a connection that they keep waits for its next request.
NODE_OPTIONS = ("--preset", "test", "--log.level", "warn", "--handshake.timeout", "10s")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def install(test):
    """Installs what package-lock.json names unless that is there already. What cannot be installed fails the test."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            test.fail(f"{program} is missing (packages nodejs and npm; deploy/lib/install.sh test installs them)")
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256(read(os.path.join(HERE, "package-lock.json"))).hexdigest()
        stamp = os.path.join(FOLDER, "installed")
        if os.path.exists(stamp) and read(stamp).decode() == wanted:
            return
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(HERE, name), FOLDER)
        done = subprocess.run(["npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER,
                              capture_output=True, text=True)
        if done.returncode:
            test.fail("npm cannot install the clients of tests/interop/package-lock.json; is its registry reachable, or its cache "
                      f"filled?\n{done.stdout}{done.stderr}")
        with open(stamp, "w") as file:
            file.write(wanted)


def start_nodes(test, count, *options):
    """Redis, and nodes of which one records. .redis and .nodes of the test say where."""
    test.redis = support.start_redis(test)
    test.nodes = [support.start_node(test, test.redis.port, *NODE_OPTIONS, *options) for _ in range(count)]
    support.wait_for("a recorder", lambda: all(json.loads(support.http_get(node.admin_port, "/readyz")[1] or "{}").get("recorded")
                                               for node in test.nodes))


def run(test, program, *arguments, **environment):
    """Runs one of this folder's programs to its end; it must succeed."""
    install(test)
    nodes = [{"port": node.port, "admin": node.admin_port, "pid": node.child.pid} for node in getattr(test, "nodes", ())]
    process = support.Process(test, ["node", "--test-reporter", "spec", os.path.join(HERE, program), *arguments],
                              NODE_PATH=os.path.join(FOLDER, "node_modules"), TEST_NODES=json.dumps(nodes),
                              TEST_REDIS=str(test.redis.port if nodes else 0), **environment)
    test.assertEqual(process.wait(PROGRAM_S), 0, process.output)
    return process.output
