"""A subject for the harness's own tests: tries what it is asked to try, and tells how it went."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

HOOKS = []


def read(path):
    with open(path) as file:
        return file.read()


def write(path):
    with open(path, "w") as file:
        file.write("written")
    return "written"


def connect(port):
    socket.create_connection(("127.0.0.1", int(port)), timeout=5).close()
    return "connected"


def unix(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path.replace("@", "\0"))
    return "connected"


def replace(target):
    path = "/run/harness/in-" + os.environ["PORT"]
    os.unlink(path)
    os.symlink(target, path)
    return "replaced"


def fetch(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def daemon(seconds):
    subprocess.Popen(["/bin/sleep", seconds], start_new_session=True, env={})
    return "started"


TRIES = {
    "read": read,
    "write": write,
    "connect": connect,
    "unix": unix,
    "replace": replace,
    "fetch": fetch,
    "daemon": daemon,
    "env": lambda _: dict(os.environ),
    "hooks": lambda _: HOOKS,
    "uid": lambda _: os.getuid(),
    "crash": lambda code: os._exit(int(code)),
}


class Tries(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        [what] = parse_qs(url.query).get("of", [""])
        try:
            self.answer({"got": TRIES[url.path.strip("/")](what)})
        except OSError as error:
            self.answer({"refused": str(error)})

    def do_POST(self):
        HOOKS.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["type"])
        self.answer({})

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if "ask" in sys.argv:
    print(fetch(sys.argv[2]))
    sys.exit()
if os.environ.get("MODE") == "deaf":
    print("thinking", flush=True)
    signal.pause()
if os.environ.get("MODE") == "exits_early":
    print("cannot open the ledger", file=sys.stderr)
    sys.exit(3)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Tries).serve_forever()
