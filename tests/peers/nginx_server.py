"""nginx on the kernel's TCP, for tests that want a real server: one process in the foreground, its
files in a directory that goes away."""
import os
import shutil
import socket
import subprocess
import time

import peers

PORT = 8080
CONF = """daemon off;
user root root;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 0.0.0.0:{port};
        listen [::]:{port};
        root {folder};
    }}
}}
"""


def find_nginx():
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        peers.skip("nginx is not installed: make deps-test")
    return found


def start_nginx(folder):
    conf = os.path.join(folder, "nginx.conf")
    with open(conf, "w", encoding="ascii") as file:
        file.write(CONF.format(folder=folder, port=PORT))
    process = subprocess.Popen([find_nginx(), "-p", folder, "-c", conf], stderr=subprocess.PIPE,
                               text=True)
    for _ in range(100):
        if process.poll() is not None:
            raise peers.Failure("nginx: " + process.stderr.read())
        try:
            socket.create_connection(("127.0.0.1", PORT), 1).close()
            return process
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise peers.Failure("nginx does not listen")
