"""The real programs that the tests put under `salut run`, or at the other end of the wire: how each
is set up in a directory of its own, and how what it did is checked. Nothing of the system's own
configuration is used, and no port of the machine's.
"""
import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import time

import runs

HTTP, REDIS, POSTGRES, IPERF, SSH, PROXY, TALK = 8080, 6379, 5432, 5201, 2222, 8088, 7007
LIMIT_S = 90

NGINX = """daemon off;
{user}
worker_processes 2;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    sendfile on;
    server {{
        listen 0.0.0.0:{port};
        listen [::]:{port};
        root {root};
    }}
}}
"""
SSHD = """Port {port}
ListenAddress 0.0.0.0
ListenAddress ::
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile {folder}/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
"""
HAPROXY = """global
    maxconn 200
defaults
    mode http
    timeout connect 10s
    timeout client 30s
    timeout server 30s
frontend all
    bind 0.0.0.0:{port}
    bind :::{port} v6only
    default_backend kernel
backend kernel
    server one {to}:{http}
"""


def bracket(address):
    return f"[{address}]" if ":" in address else address


def url(address, port, path):
    return f"http://{bracket(address)}:{port}/{path}"


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") \
            else hashlib.sha256(file.read()).hexdigest()


def answers(address, port):
    """True when somebody listens there."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        sock.settimeout(1)
        return sock.connect_ex((address, port)) == 0


class Running:
    """A program in the background, with its words in a log that is shown when something fails."""

    def __init__(self, name, command, folder, **more):
        self.name = name
        self.path = os.path.join(folder, f"{name}.log")
        with open(self.path, "wb") as log:
            self.process = runs.start(command, log=log, **more)

    def log(self):
        with open(self.path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_for(self, address, port):
        runs.wait_until(lambda: self.process.poll() is not None or answers(address, port),
                        f"{self.name} at {address} port {port}")
        runs.check(self.process.poll() is None,
                   f"{self.name}: exit {self.process.returncode}: {self.log()}")
        return self

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        ended = runs.stop(self.process)
        if kind is not None:
            print(f"--- {self.name} said:\n{self.log()}---", flush=True)
        elif ended is None:
            raise runs.Failure(f"{self.name} did not end within 10 s of SIGTERM")


def output_of(command, limit=LIMIT_S, **more):
    """Run to the end; its standard output. Fails with what it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit,
                              stdin=more.pop("stdin", subprocess.DEVNULL)
                              if "input" not in more else None, **more)
    except subprocess.TimeoutExpired as late:
        raise runs.Failure(f"{' '.join(command)}: not done within {limit} s: {late.stdout}, "
                           f"{late.stderr}") from None
    runs.check(done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}: "
                                     f"{done.stdout[-800:]} {done.stderr[-800:]}")
    return done.stdout


# ---- each program: its command line ----------------------------------------------------------


def nginx(folder, user="", port=HTTP):
    conf = os.path.join(folder, "nginx.conf")
    root = os.path.join(folder, "files")
    with open(conf, "w", encoding="ascii") as file:
        file.write(NGINX.format(folder=folder, port=port, user=user, root=root))
    return [runs.find("nginx"), "-p", folder, "-c", conf, "-e", "stderr"]


def redis(folder):
    return [runs.find("redis-server"), "--port", str(REDIS), "--save", "", "--dir", folder,
            "--bind", "0.0.0.0", "::", "--protected-mode", "no"]


def http_server(folder, bind="::"):
    return ["python3", "-m", "http.server", "--bind", bind, "--directory",
            os.path.join(folder, "files"), str(HTTP)]


def sshd(folder):
    for name in ("host_key", "user_key"):
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            runs.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path])
    conf = os.path.join(folder, "sshd_config")
    with open(conf, "w", encoding="ascii") as file:
        file.write(SSHD.format(folder=folder, port=SSH))
    return [runs.find("sshd"), "-D", "-e", "-f", conf]


def haproxy(folder, to):
    conf = os.path.join(folder, "haproxy.cfg")
    with open(conf, "w", encoding="ascii") as file:
        file.write(HAPROXY.format(port=PROXY, to=bracket(to), http=HTTP))
    return [runs.find("haproxy"), "-db", "-f", conf]


def postgres_bin():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not found:
        runs.skip("PostgreSQL is not installed: make deps-test")
    return found[-1]


AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def postgres(folder):
    data = os.path.join(folder, "postgres")
    os.mkdir(data)
    shutil.chown(data, "postgres", "postgres")
    runs.run(AS_POSTGRES + [f"{postgres_bin()}/initdb", "-D", data, "-A", "trust", "-N"], cwd=data)
    return AS_POSTGRES + [f"{postgres_bin()}/postgres", "-D", data, "-p", str(POSTGRES), "-c",
                          "listen_addresses=*", "-c", f"unix_socket_directories={data}", "-c",
                          "fsync=off"]


def allow_postgres(folder):
    with open(f"{folder}/postgres/pg_hba.conf", "a", encoding="ascii") as file:
        file.write("host all all 0.0.0.0/0 trust\nhost all all ::/0 trust\n")


# ---- what they do, checked -------------------------------------------------------------------


def curl(address, port, path, wrap=lambda words: words):
    """The digest of what curl fetches."""
    command = ["curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "60",
               "-o", "-", url(address, port, path)]
    done = subprocess.run(wrap(command), capture_output=True, check=False, timeout=LIMIT_S)
    runs.check(done.returncode == 0, f"curl {url(address, port, path)}: exit {done.returncode}: "
                                     f"{done.stderr.decode(errors='replace')}")
    return hashlib.sha256(done.stdout).hexdigest()


def wget(address, port, path, wrap=lambda words: words):
    command = ["wget", "--quiet", "--no-proxy", "--tries=1", "--timeout=60", "-O", "-",
               url(address, port, path)]
    done = subprocess.run(wrap(command), capture_output=True, check=False, timeout=LIMIT_S)
    runs.check(done.returncode == 0, f"wget {url(address, port, path)}: exit {done.returncode}: "
                                     f"{done.stderr.decode(errors='replace')}")
    return hashlib.sha256(done.stdout).hexdigest()


def wrk(address, port, path, wrap=lambda words: words, seconds=2):
    """Requests a second; any socket error fails."""
    text = output_of(wrap([runs.find("wrk"), "-t", "1", "-c", "64", "-d", f"{seconds}s",
                           url(address, port, path)]))
    runs.check("Socket errors" not in text and "Non-2xx" not in text, f"wrk: {text}")
    return float(re.search(r"Requests/sec: +([\d.]+)", text)[1])


def redis_benchmark(address, wrap=lambda words: words, requests=20000, pipeline=1):
    """Requests a second, by test; any error fails."""
    text = output_of(wrap([runs.find("redis-benchmark"), "-h", address, "-p", str(REDIS), "-c",
                           "50", "-n", str(requests), "-P", str(pipeline), "-t",
                           "set,get,incr,lpush", "--csv"]))
    runs.check("rror" not in text, f"redis-benchmark: {text}")
    rates = {row[0]: float(row[1]) for row in
             (line.replace('"', "").split(",") for line in text.splitlines()[1:])}
    runs.check(len(rates) == 4, f"redis-benchmark: {text}")
    return rates


def postgres_is_ready(address):
    return subprocess.run([f"{postgres_bin()}/pg_isready", "-q", "-h", address, "-p",
                           str(POSTGRES)], check=False, timeout=20).returncode == 0


def pgbench(address):
    where = ["-h", address, "-p", str(POSTGRES), "-U", "postgres"]
    output_of([f"{postgres_bin()}/pgbench", "-i", "-q", "-s", "2"] + where + ["postgres"])
    text = output_of([f"{postgres_bin()}/pgbench", "-c", "8", "-j", "2", "-T", "3"] + where +
                     ["postgres"])
    runs.check("number of failed transactions: 0 " in text, f"pgbench: {text}")
    return float(re.search(r"tps = ([\d.]+)", text)[1])


def iperf(address, back=False, wrap=lambda words: words, seconds=2):
    """Bits a second; an error in its report fails."""
    command = [runs.find("iperf3"), "-c", address, "-p", str(IPERF), "-t", str(seconds), "-J"]
    end = time.monotonic() + runs.READY_S
    time.sleep(0.5)  # between two tests the server closes its listener and makes another
    while True:
        done = subprocess.run(wrap(command + ["-R"] * back), capture_output=True, text=True,
                              check=False, timeout=LIMIT_S, stdin=subprocess.DEVNULL)
        report = json.loads(done.stdout[done.stdout.find("{"):] or "{}")
        # A server that just came, or that still writes down what was before, is asked again.
        soon = re.search(r"busy|unable to connect", report.get("error", ""))
        if not soon or time.monotonic() > end:
            break
        time.sleep(0.2)
    runs.check(done.returncode == 0 and "error" not in report,
               f"iperf3: exit {done.returncode}: {report.get('error')} {done.stderr}")
    return report["end"]["sum_received"]["bits_per_second"]


SSH_OPTIONS = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
               "BatchMode=yes", "-o", "LogLevel=ERROR", "-F", "none"]


def ssh_session(folder, address, wrap=lambda words: words):
    """An interactive session: a terminal at the other end, typed lines, answers."""
    command = ["ssh", "-tt", "-i", f"{folder}/user_key", "-p", str(SSH)] + SSH_OPTIONS
    text = output_of(wrap(command + [f"root@{address}", "sh"]), input="tty && echo $((6*7))\nexit\n")
    runs.check("42" in text and "/dev/pts" in text, f"ssh: {text}")


def scp(folder, address, name, wrap=lambda words: words):
    """A file there and back again."""
    options = ["-q", "-i", f"{folder}/user_key", "-P", str(SSH)] + SSH_OPTIONS
    there, back = f"{folder}/{name}.there", f"{folder}/{name}.back"
    output_of(wrap(["scp"] + options + [f"{folder}/files/{name}",
                                        f"root@{bracket(address)}:{there}"]))
    output_of(wrap(["scp"] + options + [f"root@{bracket(address)}:{there}", back]))
    runs.check(digest_of(back) == digest_of(f"{folder}/files/{name}"), "scp: digests differ")
    for path in (there, back):
        os.unlink(path)


@contextlib.contextmanager
def files():
    """A scratch directory with files to fetch: (folder, {name: digest})."""
    with runs.scratch() as folder:
        os.chmod(folder, 0o755)
        os.mkdir(f"{folder}/files")
        digests = {name: runs.peers.make_file(f"{folder}/files/{name}", size)
                   for name, size in (("1k", 1 << 10), ("100k", 100 << 10), ("large", 32 << 20))}
        os.chmod(f"{folder}/files", 0o755)
        yield folder, digests
