"""Certificates made when a test runs, by the openssl command, in a folder of the test's own."""
import os
import subprocess
import tempfile


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    """A certificate authority; .file is its certificate."""

    def __init__(self, test, name="tracegate test"):
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.file, self.key = self.path("ca.pem"), self.path("ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.key,
                "-out", self.file, "-days", "2", "-subj", f"/CN={name} authority")

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def issue(self, name, prefix=None, names="DNS:localhost,IP:127.0.0.1"):
        """Gives the files (certificate, key) of a new certificate."""
        prefix = self.path(prefix or name)
        with open(prefix + ".ext", "w") as extensions:
            extensions.write(f"subjectAltName={names}\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", prefix + ".key",
                "-out", prefix + ".csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", prefix + ".csr", "-CA", self.file, "-CAkey", self.key, "-CAcreateserial", "-days", "2",
                "-extfile", prefix + ".ext", "-out", prefix + ".pem")
        return prefix + ".pem", prefix + ".key"
