"""A server with one of everything that a client can ask about; every answer is the same each time.

PORT is where it listens. The verdicts of imported Hurl files are compared on it.
"""

import gzip
import hashlib
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

DOCUMENT = {
    "name": "ann", "greeting": "Hello, wörld", "empty": "", "n": 3, "f": 1.5, "whole": 2.0, "zero": 0, "neg": -2,
    "big": 12345678901234567890, "none": None, "yes": True, "no": False, "list": [1, 2, 3], "strings": ["a", "b"],
    "nothing": [], "blank": {}, "one": [{"id": 7, "kind": "x"}], "obj": {"a": 1, "b": {"c": [True]}},
    "items": [{"id": 1, "price": 9.5, "tag": "a"}, {"id": 2, "price": 20, "tag": "b"}],
    "date": "2024-05-06T07:08:09Z", "offset": "2024-05-06T07:08:09+02:00", "day": "2024-05-06",
    "uuid": "0190a0a0-7b7b-7c7c-8d8d-9e9e9e9e9e9e", "ip4": "127.0.0.1", "ip6": "::1",
    "url": "http://x.example/y?a=1&b=two%20words", "b64": "aGVsbG8=", "b64url": "_-8", "hex": "68656c6c6f",
    "html": "<b>&amp; \"q\"</b>", "escaped": "&lt;b&gt; &eacute;", "inner": "{\"a\": [1, 2]}", "xml": "<r><i>1</i><i>2</i></r>",
    "number": "42", "fraction": "3.25", "words": "one,two,,three", "spaced": "a b/c?d=é", "lines": "one\ntwo",
}
PAGE = """<!DOCTYPE html>
<html><head><title>Shop &amp; more</title></head>
<body><h1 class="big">Things</h1><ul><li id="first">Mug</li><li>Cup</li></ul><p>Sum: <b>12</b></p><br></body></html>
"""
XML = '<?xml version="1.0" encoding="UTF-8"?>\n<shop open="yes"><item n="1">Mug</item><item n="2">Cup</item><sum>12</sum></shop>\n'
COOKIES = ["session=abc123; Path=/app; Max-Age=3600; Secure; HttpOnly; SameSite=Lax; Domain=localhost", "theme=dark", "old=x; Expires=Wed, 21 Oct 2015 07:28:00 GMT", "empty="]

counts = {}
lock = threading.Lock()


def fixed(content_type, body, status=200, headers=()):
    return status, [("Content-Type", content_type), *headers], body if isinstance(body, bytes) else body.encode()


def flaky(key, failures):
    """Fails so many times, then answers; each key counts for itself."""
    with lock:
        counts[key] = counts.get(key, 0) + 1
        tried = counts[key]
    return fixed("application/json", json.dumps({"tried": tried}), 503 if tried <= failures else 200)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body must not wait until the head is acknowledged

    def log_message(self, *_):
        pass

    def answer(self):
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        length = int(self.headers.get("Content-Length") or 0)
        body = self.read_chunks() if self.headers.get("Transfer-Encoding") == "chunked" else self.rfile.read(length)
        status, headers, content = self.route(url.path, query, url, body)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def read_chunks(self):
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def route(self, path, query, url, body):
        if path == "/json":
            return fixed("application/json", json.dumps(DOCUMENT, ensure_ascii=False))
        if path == "/exact":
            return fixed("application/json", '{"a": 1, "b": [true, null]}')
        if path == "/html":
            return fixed("text/html; charset=utf-8", PAGE)
        if path == "/xml":
            return fixed("application/xml", XML)
        if path == "/text":
            return fixed("text/plain; charset=utf-8", "Hello, world! id=42 id=43\n")
        if path == "/latin":
            return fixed("text/plain; charset=iso-8859-1", "caf\u00e9".encode("latin-1"))
        if path == "/bytes":
            return fixed("application/octet-stream", bytes([0xEF, 0xBB, 0xBF, 0x68, 0x69, 0x00, 0xFF]))
        if path == "/empty":
            return 204, [], b""
        if path == "/gzip":
            return fixed("text/plain", gzip.compress(b"squeezed", mtime=0), headers=[("Content-Encoding", "gzip")])
        if path == "/headers":
            headers = [("X-One", "1"), ("X-Many", "a"), ("X-Many", "b"), ("X-Date", "2024-05-06"), ("X-Empty", ""), ("X-Token", "t=abc; u=1")]
            return fixed("text/plain", "ok", headers=headers)
        if path == "/cookies":
            return fixed("text/plain", "ok", headers=[("Set-Cookie", cookie) for cookie in COOKIES])
        if path.startswith("/status/"):
            return fixed("text/plain", "status", int(path.rsplit("/", 1)[1]))
        if path.startswith("/redirect/"):
            left = int(path.rsplit("/", 1)[1])
            target = f"/redirect/{left - 1}" if left > 1 else "/landed"
            return 302, [("Location", target)], b""
        if path == "/landed":
            return fixed("text/plain", "landed")
        if path == "/flaky":
            return flaky(query["key"], int(query["failures"]))
        if path == "/slow":
            time.sleep(int(query["ms"]) / 1000)
            return fixed("text/plain", "late")
        if path == "/private":
            known = self.headers.get("Authorization") == "Basic YW5uOnM6ZQ=="
            return fixed("text/plain", "in" if known else "out", 200 if known else 401)
        if path == "/login":
            return fixed("text/plain", "ok", headers=[("Set-Cookie", "user=ann; Path=/")])
        if path == "/echo":
            return self.echo(url, body)
        return fixed("application/json", '{"error": "no such thing"}', 404)

    def echo(self, url, body):
        kept = ["content-type", "cookie", "authorization", "accept", "x-one", "x-many", "accept-encoding"]
        headers = {name: self.headers.get_all(name) for name in kept if self.headers.get_all(name)}
        # The boundary of a form is random.
        boundary = self.headers.get_boundary()
        if boundary:
            body = body.replace(boundary.encode(), b"BOUNDARY")
            headers["content-type"] = [headers["content-type"][0].replace(boundary, "BOUNDARY")]
        said = {
            "method": self.command, "path": url.path, "query": url.query, "headers": headers,
            "version": self.request_version, "body": body.decode("utf-8", "replace"), "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        return fixed("application/json", json.dumps(said))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_PURGE = answer


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
