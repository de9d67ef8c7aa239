"""A subject that streams: server-sent events and WebSockets, by hand. The path says how it behaves."""

import base64
import hashlib
import json
import os
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
news = threading.Condition()
items = []


class Feed(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def do_POST(self):
        if self.path == "/chat":
            question = json.loads(self.body())["question"]
            self.stream()
            for word in question.split():
                self.event(f"event: token\ndata: {json.dumps({'text': word})}\n\n")
            return self.event("data: [DONE]\n\n")
        with news:
            items.append(json.loads(self.body()))
            news.notify_all()
        self.answer(201, {})

    def stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True

    def event(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        self.wfile.write(data)
        self.wfile.flush()

    def do_GET(self):
        try:
            self.get()
        except (BrokenPipeError, ConnectionResetError):
            pass

    def get(self):
        if self.path == "/health":
            return self.answer(200, {})
        if self.headers.get("upgrade", "").lower() == "websocket":
            return self.websocket()
        if self.path == "/denied":
            return self.answer(401, {"error": "who are you?"})
        if self.path == "/json":
            return self.answer(200, {"no": "stream"})
        self.stream()
        if self.path == "/items":
            self.items()
        elif self.path == "/three":
            last = int(self.headers.get("last-event-id", 0))
            for n in range(last + 1, 4):
                self.event(f"id: {n}\nevent: tick\ndata: {{\"n\": {n}}}\n\n")
        elif self.path == "/silent":
            time.sleep(600)
        elif self.path == "/comments":
            while True:
                self.event(": still here\n\n")
        elif self.path == "/flood":
            while True:
                self.event("data: " + "x" * 10000 + "\n\n")
        elif self.path == "/endless_line":
            while True:
                self.event(b"data: " + b"\xff" * 100000)
        elif self.path == "/half":
            self.event("data: first\n\ndata: seco")

    def items(self):
        seen = 0
        while True:
            with news:
                news.wait_for(lambda: len(items) > seen)
                fresh = items[seen:]
                seen = len(items)
            for item in fresh:
                self.event(f"data: {json.dumps(item)}\n\n")

    # WebSocket

    def websocket(self):
        key = self.headers["sec-websocket-key"]
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        if self.path == "/wrong_key":
            accept = base64.b64encode(b"x" * 20).decode()
        self.send_response(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        self.send_header("sec-websocket-accept", accept)
        offered = [name.strip() for name in self.headers.get("sec-websocket-protocol", "").split(",")]
        if "v2" in offered:
            self.send_header("sec-websocket-protocol", "v2")
        self.end_headers()
        self.close_connection = True
        if self.path == "/gone":
            return
        if self.path == "/garbage":
            return self.event(b"\xff" * 64)
        if self.path == "/bye":
            return self.close(4001, "kicked")
        if self.path == "/flood":
            while True:
                self.frame(1, b"x" * 10000)
        if self.path == "/huge":
            return self.event(struct.pack("!BBQ", 0x81, 127, 1 << 40))
        self.echo()

    def echo(self):
        while True:
            opcode, data = self.receive()
            if opcode == 8:
                return self.frame(8, data)
            if opcode == 9:
                if data != b"ignore":
                    self.frame(10, data)
            elif opcode == 1 and data.startswith(b"{"):
                self.frame(1, json.dumps({"got": json.loads(data)}).encode())
            elif data == b"twice":
                self.frame(9, b"are you there?")
                self.frame(1, data)
                self.frame(1, data)
            elif data == b"close":
                return self.close(1000, "as you wish")
            elif opcode in (1, 2):
                self.frame(opcode, data)

    def receive(self):
        first, second = self.rfile.read(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self.rfile.read(2))
        mask = self.rfile.read(4)
        data = self.rfile.read(length)
        return first & 0x0F, bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))

    def frame(self, opcode, data):
        size = bytes([len(data)]) if len(data) < 126 else struct.pack("!BH", 126, len(data))
        self.event(bytes([0x80 | opcode]) + size + data)

    def close(self, code, reason):
        self.frame(8, struct.pack("!H", code) + reason.encode())


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Feed).serve_forever()
