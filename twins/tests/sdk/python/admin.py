"""What a driver may do to its twin from outside: faults, actions, the clock."""

import json
import os
import urllib.request
from datetime import datetime, timedelta

BASE = os.environ["TWIN_ADMIN_URL"]


def send(url, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        text = answer.read()
        return json.loads(text) if text else None


def fault(**rule):
    send(f"{BASE}/faults", rule)


def clear_faults():
    send(f"{BASE}/faults", method="DELETE")


def act(name):
    return send(f"{BASE}/act", name)


def advance(seconds):
    clock = BASE.rsplit("/", 1)[0] + "/clock"
    now = datetime.fromisoformat(send(clock)["now"])
    send(clock, {"advance_to": (now + timedelta(seconds=seconds)).isoformat()})


def refused(kind, call):
    """The error of `kind` that `call` raises."""
    try:
        call()
    except kind as error:
        return error
    raise SystemExit(f"{kind.__name__} was not raised")
