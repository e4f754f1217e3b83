# SPDX-License-Identifier: Apache-2.0
"""Programs that call ssh, sftp and scp themselves: what they pass and what they read must be understood.

Each test is skipped where its program is not installed; `HAWSER_TOOLS` names a folder to look in besides.
"""
import os
import shutil
import sys

import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, run


def tool(name):
    places = [os.environ.get("HAWSER_TOOLS"), os.path.dirname(sys.executable), os.environ["PATH"]]
    found = shutil.which(name, path=os.pathsep.join(filter(None, places)))
    return found or pytest.skip(f"{name} is not installed")


@pytest.fixture(params=["ours", "openssh"])
def peer(request, serve):
    return serve(OURS if request.param == "ours" else OPENSSH, "Subsystem sftp internal-sftp")


@pytest.fixture
def environment(home):
    """With our ssh first on PATH and a home of its own; HOME does not say where ssh looks."""
    path = f"{UNDER_TEST.prefix}/bin:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8", "TERM": "dumb",
            "SWIFT_BACKTRACE": "enable=no"}


@pytest.mark.parametrize("suite,method,pipelining", [
    (OURS, "sftp", "True"), (OURS, "scp", "False"), (OURS, "piped", "False"),
    (OPENSSH, "sftp", "False"),
], ids=str)
def test_ansible(suite, method, pipelining, serve, key, environment, home, tmp_path):
    """Modules, files each way, and the masters (ControlPersist) that ansible keeps by itself."""
    ansible = tool("ansible")
    peer = serve(suite, "Subsystem sftp internal-sftp")
    inventory = tmp_path / "inventory"
    inventory.write_text(
        f"there ansible_host=127.0.0.1 ansible_port={peer.port} ansible_user={peer.user} "
        f"ansible_ssh_private_key_file={key} ansible_python_interpreter={sys.executable}\n"
    )
    (home / "source").write_bytes(os.urandom(200_000))
    environment |= {
        "ANSIBLE_SSH_ARGS": f"-F none -o ControlMaster=auto -o ControlPersist=20s -o "
                            f"UserKnownHostsFile={peer.known_hosts()} -o IdentitiesOnly=yes",
        "ANSIBLE_SSH_TRANSFER_METHOD": method, "ANSIBLE_PIPELINING": pipelining,
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(home / "cp"), "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_REMOTE_TMP": str(home / "remote"), "ANSIBLE_NOCOLOR": "1",
    }

    def do(*words):
        return run([ansible, "-i", inventory, "there", *words], env=environment, timeout=120)

    try:
        result = do("-m", "ping")
        assert result.returncode == 0 and b'"ping": "pong"' in result.stdout, result
        assert b"UNREACHABLE" not in result.stdout
        result = do("-m", "copy", "-a", f"src={home}/source dest={home}/there")
        assert result.returncode == 0, result
        result = do("-m", "fetch", "-a", f"src={home}/there dest={home}/back flat=yes")
        assert result.returncode == 0, result
        assert (home / "back").read_bytes() == (home / "source").read_bytes()
        result = do("-m", "shell", "-a", "echo out; exit 3")
        assert b"rc=3" in result.stdout and b"out" in result.stdout, result
        # One login served all of it.
        assert peer.log_text().count("Accepted publickey") == 1
    finally:
        for socket_ in (home / "cp").glob("*"):
            run([UNDER_TEST.ssh, "-F", "none", "-O", "exit", "-S", socket_, "x"])


def test_ansible_with_a_password(serve, account, environment, home, tmp_path):
    """Through sshpass, or through SSH_ASKPASS as newer ansible does it."""
    ansible = tool("ansible")
    name, password = account
    peer = serve(UNDER_TEST, "PasswordAuthentication yes", "Subsystem sftp internal-sftp", user=name)
    inventory = tmp_path / "inventory"
    inventory.write_text(
        f"there ansible_host=127.0.0.1 ansible_port={peer.port} ansible_user={name} "
        f"ansible_password={password} ansible_python_interpreter=/usr/bin/python3\n"
    )
    environment |= {
        "ANSIBLE_SSH_ARGS": f"-F none -o ControlMaster=no -o PubkeyAuthentication=no -o "
                            f"UserKnownHostsFile={peer.known_hosts()}",
        "ANSIBLE_HOME": str(home / "ansible"), "ANSIBLE_NOCOLOR": "1",
    }
    result = run([ansible, "-i", inventory, "there", "-m", "raw", "-a", "id -un"],
                 env=environment, timeout=120)
    assert result.returncode == 0 and name.encode() in result.stdout, result


@pytest.mark.parametrize("right", [True, False])
def test_sshpass(right, serve, account):
    name, password = account
    sshpass = tool("sshpass")
    peer = serve(UNDER_TEST, "PasswordAuthentication yes", "Subsystem sftp internal-sftp", user=name)
    config = peer.client_config(BatchMode="no", PubkeyAuthentication="no")
    secret = password if right else "wrong"
    ssh = run([sshpass, "-p", secret, UNDER_TEST.ssh, "-F", config, "127.0.0.1", "echo in; exit 3"])
    assert (ssh.returncode, ssh.stdout) == ((3, b"in\n") if right else (5, b"")), ssh
    copy = run([sshpass, "-p", secret, UNDER_TEST.scp, "-F", config, config, "127.0.0.1:copied"])
    assert (copy.returncode == 0) == right, copy


def test_sshpass_tells_an_unknown_host(serve, account, tmp_path):
    """Its status 6: it knows the question by its words."""
    name, password = account
    sshpass = tool("sshpass")
    peer = serve(UNDER_TEST, "PasswordAuthentication yes", "Subsystem sftp internal-sftp", user=name)
    config = peer.client_config(BatchMode="no", PubkeyAuthentication="no",
                                StrictHostKeyChecking="ask", UserKnownHostsFile=tmp_path / "none")
    result = run([sshpass, "-p", password, UNDER_TEST.ssh, "-F", config, "127.0.0.1", "true"])
    assert result.returncode == 6, result


def test_sshuttle_finds_its_way_through_ssh(peer, key, environment):
    """What sshuttle does with ssh: its own words, a program on standard input, a protocol on pipes.

    The other half of it, the packet filter, is the machine's.
    """
    tool("sshuttle")
    ssh = f"{UNDER_TEST.ssh} -F {peer.client_config(key)}"
    program = (
        "import inspect, sys, sshuttle.ssh as s\n"
        "more = dict(add_cmd_delimiter=True, remote_shell='sh')\n"
        "known = inspect.signature(s.connect).parameters\n"
        f"child, *ends = s.connect({ssh!r}, '127.0.0.1', None, stderr=None,\n"
        " **{name: more[name] for name in more if name in known}, options=dict(latency_control=True,\n"
        " auto_hosts=False, to_nameserver=None, auto_nets=False, latency_buffer_size=32768))\n"
        "file = ends[0] if len(ends) == 2 else ends[0].makefile('rb', buffering=0)\n"
        "said = b''\n"
        "while not said.endswith(b'SSHUTTLE0001') and len(said) < 100:\n"
        "    said += file.read(1) or b'?'\n"
        "print(said)\n"
        "child.terminate()\n"
    )
    python = open(tool("sshuttle")).readline()[2:].split()[0]
    result = run([python, "-c", program], env=environment, timeout=60)
    assert b"SSHUTTLE0001" in result.stdout, result


def test_fabric_reads_our_configuration(serve, key, tmp_path):
    """Fabric (paramiko) at our sshd, with the ssh_config that our ssh reads."""
    fab = tool("fab")
    peer = serve(UNDER_TEST, "Subsystem sftp internal-sftp")
    config = peer.client_config(key)
    config.write_text(config.read_text().replace("Host *", "Host there\n    HostName 127.0.0.1"))
    (tmp_path / "fabfile.py").write_text(
        "from fabric import task, Connection, Config\n"
        "@task\n"
        "def work(c):\n"
        f"    with Connection('there', config=Config(runtime_ssh_path={str(config)!r})) as c:\n"
        "        print('said', c.run('echo $((40+2))', hide=True).stdout)\n"
        f"        c.put({str(config)!r}, {str(tmp_path / 'put')!r})\n"
        "        print('status', c.run('exit 3', warn=True).exited)\n"
    )
    assert run([UNDER_TEST.ssh, "-F", config, "there", "true"]).returncode == 0
    result = run([fab, "work"], cwd=tmp_path, timeout=60)
    assert b"said 42" in result.stdout and b"status 3" in result.stdout, result
    assert (tmp_path / "put").read_bytes() == config.read_bytes()
