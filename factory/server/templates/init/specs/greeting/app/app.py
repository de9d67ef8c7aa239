"""A service that greets people."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

NAME_CHARS_MAX = 100


class Greeter(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/health":
            return self.answer(200, {"status": "ok"})
        if url.path != "/hello":
            return self.answer(404, {"error": "there is only /hello"})
        name = parse_qs(url.query).get("name", ["world"])[0]
        if len(name) >= NAME_CHARS_MAX:
            return self.answer(422, {"error": f"a name has at most {NAME_CHARS_MAX} characters"})
        return self.answer(200, {"message": f"Hello, {name}!"})

    def answer(self, status, body):
        payload = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Greeter).serve_forever()
