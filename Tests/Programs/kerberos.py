# SPDX-License-Identifier: Apache-2.0
"""A realm of Kerberos on loopback, with a key server of its own: nothing of it touches /etc."""
import os
import socket
import subprocess
import time

from conftest import free_port

REALM = "HAWSER.TEST"
# Hosts have keys under these names; the second is what a strict server goes by.
OTHER_HOST = "localhost"
OWN_HOST = socket.gethostname().lower()


class Realm:
    """A key server, its principals, and the keys of this host."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.keytab = folder / "host.keytab"
        (folder / "krb5.conf").write_text(
            f"""[libdefaults]
 default_realm = {REALM}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 qualify_shortname = ""
 udp_preference_limit = 1
 forwardable = true
[realms]
 {REALM} = {{
  kdc = 127.0.0.1:{self.port}
 }}
[domain_realm]
 {OTHER_HOST} = {REALM}
 {OWN_HOST} = {REALM}
"""
        )
        (folder / "kdc.conf").write_text(
            f"""[kdcdefaults]
 kdc_listen = 127.0.0.1:{self.port}
 kdc_tcp_listen = 127.0.0.1:{self.port}
[realms]
 {REALM} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  acl_file = {folder}/kadm5.acl
  supported_enctypes = aes256-cts-hmac-sha1-96:normal
 }}
[logging]
 kdc = FILE:{folder}/kdc.log
"""
        )
        self.variables = {
            "KRB5_CONFIG": str(folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
            "KRB5_KTNAME": f"FILE:{self.keytab}",
            "KRB5RCACHEDIR": str(folder),
        }
        self.environment = dict(os.environ, **self.variables)
        self.environment.pop("KRB5CCNAME", None)
        self.do("kdb5_util", "create", "-s", "-P", "master", "-r", REALM)
        for host in (OTHER_HOST, OWN_HOST):
            self.admin("addprinc", "-randkey", f"host/{host}")
            self.admin("ktadd", "-k", self.keytab, f"host/{host}")
        self.process = subprocess.Popen(
            ["/usr/sbin/krb5kdc", "-n"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 10
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None and time.monotonic() < end, "no key server"
            time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    def do(self, *command, **options):
        path = "/usr/sbin:/usr/bin:/sbin:/bin"
        environment = dict(self.environment, PATH=path) | options.pop("environment", {})
        result = subprocess.run(
            [str(word) for word in command],
            env=environment,
            capture_output=True,
            timeout=30,
            **options,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    def admin(self, *words):
        return self.do("kadmin.local", "-r", REALM, *words)

    def add(self, name, password):
        """A principal with a password."""
        self.admin("addprinc", "-pw", password, name)

    def tickets(self, cache, name, password, *options):
        """The environment of someone who has tickets as `name`."""
        variable = {"KRB5CCNAME": f"FILE:{cache}"}
        self.do(
            "kinit", *options, name, input=password.encode() + b"\n", environment=variable
        )
        return dict(self.environment, **variable)
