"""Calls what its arguments name, in their order: URL, then a body as JSON or `key=value` form."""

import json
import sys
import urllib.error
import urllib.request

for url, body in zip(sys.argv[1::2], sys.argv[2::2]):
    is_json = body.startswith("{")
    kind = "application/json" if is_json else "application/x-www-form-urlencoded"
    headers = {
        "content-type": kind,
        "authorization": "Bearer sk_test_kit",
        "x-api-key": "sk-ant-twin",
        "anthropic-version": "2023-06-01",
    }
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers))
        print(answer.read().decode())
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode())
        sys.exit(1)
