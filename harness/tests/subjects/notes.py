"""A subject for the harness's own tests: keeps one note in its data folder. `MODE` makes it misbehave."""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODE = os.environ.get("MODE", "")
NOTE = os.path.join(os.environ["DATA_DIR"], "note.json")


class Notes(BaseHTTPRequestHandler):
    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/env":
            return self.answer(200, dict(os.environ))
        if self.path == "/pid":
            return self.answer(200, os.getpid())
        if self.path == "/crash":
            print("ledger is corrupt", file=sys.stderr, flush=True)
            os._exit(7)
        if self.path == "/health":
            return self.answer(200, {})
        if not os.path.exists(NOTE):
            return self.answer(404, {"error": "no note"})
        with open(NOTE) as note:
            self.answer(200, json.load(note))

    def do_POST(self):
        with open(NOTE, "wb") as note:
            note.write(self.rfile.read(int(self.headers["content-length"])))
        self.answer(201, {})


if MODE == "exits_early":
    print("cannot open the ledger", file=sys.stderr)
    sys.exit(3)
if MODE == "long_line":
    sys.stdout.buffer.write(b"\xff" * 1_000_000 + b" the last words\n")
    sys.exit(1)
if MODE == "prints_a_gigabyte":
    for _ in range(1024):
        sys.stdout.buffer.write(b"x" * 1024 * 1024)
    sys.stdout.buffer.flush()
if MODE == "ignores_sigterm":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if MODE == "never_ready":
    time.sleep(600)
if MODE == "leaves_a_daemon":
    subprocess.Popen(["sleep", "600"], start_new_session=True)
if MODE == "hides_a_daemon":  # in a session of its own, without the environment by which it could be known
    subprocess.Popen(["sleep", "600"], start_new_session=True, env={})
if MODE == "hides_an_orphan":  # and without a living ancestor
    escape = "setsid sh -c 'touch $DATA_DIR/gone; exec env -i sleep 600' >&- 2>&- &"
    subprocess.run(["sh", "-c", escape + " while ! test -e $DATA_DIR/gone; do sleep 0.01; done"])
if MODE == "talks":
    print("ledger opened at", NOTE, flush=True)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Notes).serve_forever()
