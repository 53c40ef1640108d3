"""The Kubernetes manifests render and keep their promises; what they configure, the gateway understands."""
import json
import os
import subprocess
import tempfile
import unittest

import yaml

import support


class Manifests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rendered = subprocess.run(["kubectl", "kustomize", support.path("deploy", "kubernetes", "base")],
                                  capture_output=True, text=True, check=True).stdout
        items = list(yaml.safe_load_all(rendered))
        cls.objects = {item["kind"]: item for item in items}
        cls.secrets = {item["metadata"]["name"]: item for item in items if item["kind"] == "Secret"}
        cls.deployment = cls.objects["Deployment"]["spec"]
        cls.pod = cls.deployment["template"]["spec"]
        cls.container = cls.pod["containers"][0]

    def configuration(self):
        """What the gateway makes of the rendered file, its defaults included."""
        data = self.objects["ConfigMap"]["data"]["tracegate.ini"]
        with tempfile.TemporaryDirectory() as folder:
            mounts = {mount["name"]: mount["mountPath"] for mount in self.container["volumeMounts"]}
            secret = os.path.join(folder, "redis-url")
            with open(secret, "w") as file:
                file.write("redis://redis:6379\n")
            self.assertIn(mounts["redis"] + "/redis-url", data)
            self.assertIn(mounts["keys"] + "/api-keys.json", data)
            keys = support.path("deploy", "kubernetes", "base", "api-keys.json")
            ini = os.path.join(folder, "tracegate.ini")
            with open(ini, "w") as file:
                file.write(data.replace(mounts["redis"] + "/redis-url", secret).replace(mounts["keys"] + "/api-keys.json", keys))
            checked = subprocess.run([support.GATEWAY, "--config", ini, "--check-config"], capture_output=True, text=True)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
            return support.printed_configuration("--config", ini)

    def test_the_configuration_is_what_the_gateway_understands(self):
        configuration = self.configuration()
        self.assertEqual(configuration["preset"], "production")
        self.assertEqual(configuration["limits.connections_per_address"], "0")

    def test_nobody_comes_in_before_keys_are_set(self):
        self.assertEqual(self.configuration()["auth.required"], "yes")
        with open(support.path("deploy", "kubernetes", "base", "api-keys.json")) as file:
            self.assertEqual(json.load(file), {"keys": []})

    def test_keys_reach_nodes_that_run(self):
        volume = {volume["name"]: volume for volume in self.pod["volumes"]}["keys"]["secret"]
        self.assertEqual(volume["secretName"], "tracegate-keys")
        self.assertIn("tracegate-keys", self.secrets)
        self.assertEqual(volume["defaultMode"], 0o440)
        mount = {mount["name"]: mount for mount in self.container["volumeMounts"]}["keys"]
        self.assertNotIn("subPath", mount)

    def test_a_node_has_time_to_drain(self):
        self.assertGreater(self.pod["terminationGracePeriodSeconds"], support.drain_seconds(self.configuration()))

    def test_probes_ask_the_admin_port(self):
        admin = self.configuration()["admin.listen"].rsplit(":", 1)[1]
        ports = {port["name"]: str(port["containerPort"]) for port in self.container["ports"]}
        self.assertEqual(ports["admin"], admin)
        expected = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
        for probe, target in expected.items():
            self.assertEqual(self.container[probe]["httpGet"], {"path": target, "port": "admin"}, probe)

    def test_clients_reach_the_client_port_and_nothing_else(self):
        client = self.configuration()["listen"].rsplit(":", 1)[1]
        self.assertIn({"name": "client", "containerPort": int(client)}, self.container["ports"])
        self.assertEqual([port["targetPort"] for port in self.objects["Service"]["spec"]["ports"]], ["client"])

    def test_a_rollout_never_lacks_a_node(self):
        self.assertEqual(self.deployment["strategy"]["rollingUpdate"], {"maxUnavailable": 0, "maxSurge": 1})
        self.assertEqual(self.deployment["replicas"], 3)
        self.assertEqual(self.objects["PodDisruptionBudget"]["spec"]["minAvailable"], 2)

    def test_every_selector_finds_the_pods(self):
        labels = self.deployment["template"]["metadata"]["labels"].items()
        selectors = [self.deployment["selector"]["matchLabels"], self.objects["Service"]["spec"]["selector"],
                     self.objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]]
        selectors += [spread["labelSelector"]["matchLabels"] for spread in self.pod["topologySpreadConstraints"]]
        for selector in selectors:
            self.assertTrue(selector and selector.items() <= labels, selector)

    def test_the_pod_has_no_rights_that_it_does_not_need(self):
        self.assertEqual(self.pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertTrue(self.pod["securityContext"]["runAsNonRoot"])
        self.assertFalse(self.pod["automountServiceAccountToken"])
        self.assertEqual(self.container["securityContext"], {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                             "capabilities": {"drop": ["ALL"]}})

    def test_volumes_hold_what_was_rendered(self):
        volumes = {volume["name"]: volume for volume in self.pod["volumes"]}
        self.assertEqual(volumes["config"]["configMap"]["name"], self.objects["ConfigMap"]["metadata"]["name"])
        self.assertIn(volumes["redis"]["secret"]["secretName"], self.secrets)
        self.assertRegex(volumes["redis"]["secret"]["secretName"], r"^tracegate-redis-")
        self.assertEqual(volumes["redis"]["secret"]["defaultMode"], 0o440)
        mounts = {mount["name"]: mount["mountPath"] for mount in self.container["volumeMounts"]}
        self.assertEqual(self.container["args"], ["--config", mounts["config"] + "/tracegate.ini"])


if __name__ == "__main__":
    support.main()
