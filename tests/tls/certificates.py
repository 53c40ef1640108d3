"""Certificates and revocation lists made when a test runs, by the openssl command, in a folder of the test's own."""
import datetime
import os
import subprocess
import tempfile

LISTING = "[ca]\ndefault_ca=a\n[a]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\ndefault_crl_days=1\n"


def openssl(*arguments, folder=None):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True, cwd=folder).stdout


def stamp(moment):
    return moment.strftime("%Y%m%d%H%M%SZ")


class Authority:
    """A certificate authority; .file is its certificate. Below another one it has a certificate of that."""

    def __init__(self, test, name="tracegate test", above=None):
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.file, self.key = self.path("ca.pem"), self.path("ca.key")
        if above:
            self.file, self.key = above.issue(f"{name} authority", extensions="basicConstraints=critical,CA:TRUE\n")
            return
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.key,
                "-out", self.file, "-days", "2", "-subj", f"/CN={name} authority")

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def revoke(self, *certificates, others=0, ends_in_s=3600):
        """The text of a new revocation list that has these (certificate, key) and so many others, good from two minutes ago for so many
        seconds more."""
        now = datetime.datetime.now(datetime.timezone.utc)
        serials = [openssl("x509", "-in", certificate, "-noout", "-serial").strip().split("=")[1] for certificate, _ in certificates]
        serials += [f"{number + (1 << 32):010X}" for number in range(others)]
        with open(self.path("index"), "w") as index:
            for serial in serials:
                index.write(f"R\t{stamp(now)[2:]}\t{stamp(now)[2:]}\t{serial}\tunknown\t/CN={serial}\n")
        for name, text in (("number", "01"), ("listing.cnf", LISTING)):
            with open(self.path(name), "w") as file:
                file.write(text)
        openssl("ca", "-config", "listing.cnf", "-gencrl", "-cert", self.file, "-keyfile", self.key, "-out", "list.pem",
                "-crl_lastupdate", stamp(now - datetime.timedelta(seconds=120)),
                "-crl_nextupdate", stamp(now + datetime.timedelta(seconds=ends_in_s)), folder=self.folder)
        with open(self.path("list.pem")) as file:
            return file.read()

    def issue(self, name, prefix=None, names="DNS:localhost,IP:127.0.0.1", extensions=""):
        """Gives the files (certificate, key) of a new certificate."""
        prefix = self.path(prefix or name)
        with open(prefix + ".ext", "w") as file:
            file.write(f"subjectAltName={names}\n{extensions}")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", prefix + ".key",
                "-out", prefix + ".csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", prefix + ".csr", "-CA", self.file, "-CAkey", self.key, "-CAcreateserial", "-days", "2",
                "-extfile", prefix + ".ext", "-out", prefix + ".pem")
        return prefix + ".pem", prefix + ".key"
