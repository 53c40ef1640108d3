"""The Dockerfile and compose.yaml, as far as they can be proved without a container engine."""
import ipaddress
import os
import re
import shutil
import subprocess
import unittest

import yaml

import support


def instructions():
    with open(support.path("docker", "Dockerfile")) as file:
        text = file.read().replace("\\\n", " ")
    return [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]


def packages(group):
    with open(support.path("deploy", "packages.txt")) as file:
        return {line.split()[1] for line in file if line.split()[0] == group}


class Dockerfile(unittest.TestCase):
    def setUp(self):
        self.all = instructions()
        last = max(i for i, (name, _) in enumerate(self.all) if name == "FROM")
        self.final = dict(self.all[last:])

    def test_the_process_is_pid_1_and_not_root(self):
        self.assertEqual(self.final["ENTRYPOINT"], '["/usr/local/bin/tracegate"]')
        self.assertRegex(self.final["USER"], r"^[1-9][0-9]*:[1-9][0-9]*$")
        self.assertNotIn("HEALTHCHECK", self.final)

    def test_what_is_copied_exists_and_is_not_ignored(self):
        with open(support.path(".dockerignore")) as file:
            allowed = [line[1:].strip() for line in file if line.startswith("!")]
        for name, arguments in self.all:
            if name != "COPY" or arguments.startswith("--from"):
                continue
            for source in arguments.split()[:-1]:
                self.assertTrue(os.path.exists(support.path(source)), source)
                self.assertTrue(any(source.rstrip("/") == item or source.startswith(item + "/") for item in allowed), source)

    def test_the_image_holds_every_library_that_the_binaries_need(self):
        base = {"libc6", "libgcc-s1"}
        for binary in (support.GATEWAY, support.TGCLI):
            dynamic = subprocess.run(["objdump", "-p", binary], capture_output=True, text=True, check=True).stdout
            for library in re.findall(r"NEEDED\s+(\S+)", dynamic):
                owners = subprocess.run(["dpkg-query", "-S", f"*/{library}"], capture_output=True, text=True).stdout
                owners = {line.split(":")[0] for line in owners.splitlines()}
                self.assertTrue(owners & (packages("image") | base), f"{binary} needs {library} of {owners}")


class Compose(unittest.TestCase):
    def setUp(self):
        with open(support.path("docker", "compose.yaml")) as file:
            compose = yaml.safe_load(file)
        self.services, self.networks = compose["services"], compose["networks"]
        self.nodes = {name: service for name, service in self.services.items() if service["image"] == "tracegate"}

    def test_haproxy_knows_the_three_nodes_by_name(self):
        with open(support.path("deploy", "haproxy", "haproxy.cfg")) as file:
            known = re.findall(r"presetenv HAPROXY_NODE\d (\S+):8080", file.read())
        self.assertEqual(known, sorted(self.nodes))
        self.assertEqual(len(known), 3)

    def test_the_environment_is_what_the_gateway_understands(self):
        for service in self.nodes.values():
            checked = subprocess.run([support.GATEWAY, "--check-config"], capture_output=True, text=True,
                                     env={"PATH": os.environ["PATH"], "TRACEGATE_PRESET": "production", **service["environment"]})
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_the_nodes_trust_haproxy_alone(self):
        address = self.services["haproxy"]["networks"]["default"]["ipv4_address"]
        self.assertIn(ipaddress.ip_address(address), ipaddress.ip_network(self.networks["default"]["ipam"]["config"][0]["subnet"]))
        self.assertEqual({service["environment"]["TRACEGATE_TRUSTED_PROXIES"] for service in self.nodes.values()}, {address})

    def test_a_node_has_time_to_drain(self):
        drain = support.drain_seconds(support.printed_configuration("--preset", "production"))
        for service in self.nodes.values():
            self.assertGreater(int(service["stop_grace_period"].rstrip("s")), drain)

    def test_paths_on_the_host_exist(self):
        for service in self.services.values():
            for volume in service.get("volumes", []):
                self.assertTrue(os.path.exists(support.path("docker", volume.split(":")[0])), volume)
            if "build" in service:
                context = support.path("docker", service["build"]["context"])
                self.assertTrue(os.path.exists(os.path.join(context, service["build"]["dockerfile"])))

    def test_compose_itself_accepts_the_file(self):
        if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
            self.skipTest("no docker compose here")
        checked = subprocess.run(["docker", "compose", "-f", support.path("docker", "compose.yaml"), "config", "--quiet"],
                                 capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)


class Packages(unittest.TestCase):
    def test_a_bare_system_is_told_what_it_lacks(self):
        script = support.path("deploy", "lib", "install.sh")
        bare = f'source {script}; command() {{ [[ $1 != -v ]]; }}; dpkg-query() {{ :; }}; install_packages build run'
        answer = subprocess.run(["bash", "-c", bare], capture_output=True, text=True,
                                env={"PATH": os.environ["PATH"], "TRACEGATE_NO_INSTALL": "1"})
        self.assertEqual(answer.returncode, 1)
        named = answer.stderr.splitlines()[0].split(": ", 1)[1].split()
        self.assertEqual(set(named), packages("build") | packages("run"))


if __name__ == "__main__":
    support.main()
