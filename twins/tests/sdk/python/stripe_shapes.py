"""Every object that the twin holds has the fields that the types of the Node SDK say, each of its kind, and no others;
and the surface that the twin reads is what these types say today."""

import os
from pathlib import Path

from admin import BASE, send
from stripe import StripeClient
from stripe_surface import HOME, OBJECTS, Types, parts, surface

TYPES = Types(Path(os.environ["PYTHONPATH"]).parent / "node/node_modules/stripe/esm/resources")
COMMITTED = Path(__file__).parents[3] / "src/services/stripe/surface/surface.txt"
SCALARS = {"string": str, "number": (int, float), "boolean": bool, "Decimal": str, "Metadata": dict}
# Objects whose type has no name of its own in this version, or hides behind a union.
LOOSE = {"subscription"}
found = []


def check(value, home, path, place):
    fields = TYPES.fields(home, path)
    for name, (optional, kind) in fields.items():
        if name in value:
            check_kind(value[name], home, path.split("."), kind, f"{place}.{name}")
        elif not optional:
            found.append(f"{place}.{name} is missing")
    for name in value:
        if name not in fields and not (place.endswith("subscription_item") and name in LOOSE) and name != "total_count":
            found.append(f"{place}.{name} is no field of {path}")


def check_kind(value, home, scope, kind, place):
    members = parts(kind)
    if value is None:
        if "null" not in members:
            found.append(f"{place} is null")
        return
    for member in members:
        if fits(value, home, scope, member, place):
            return
    found.append(f"{place} is {str(value)[:60]!r}, not {kind[:80]}")


def fits(value, home, scope, member, place):
    if member.startswith("'"):
        return value == member.strip("'")
    if member == "OtherString":
        return isinstance(value, str)
    if member in SCALARS:
        return isinstance(value, SCALARS[member]) and (member == "boolean" or not isinstance(value, bool))
    if member.startswith(("Array<", "ApiList<")):
        inner, items = member[member.index("<") + 1:-1], value["data"] if member[1] == "p" else value
        if not isinstance(items, list):
            return False
        for number, item in enumerate(items):
            check_kind(item, home, scope, inner, f"{place}[{number}]")
        return True
    where = TYPES.find(home, scope, member)
    if where in TYPES.aliases:
        check_kind(value, where[0], where[1].split(".")[:-1], TYPES.aliases[where], place)
        return True
    if where in TYPES.interfaces and isinstance(value, dict):
        check(value, *where, place)
        return True
    return member in ("any", "unknown") or where is None and isinstance(value, dict)


assert COMMITTED.read_text() == "\n".join(surface(TYPES)) + "\n", "surface.txt is not what stripe_surface.py writes"
client = StripeClient("sk_test_twin", base_addresses={"api": os.environ["TWIN_URL"]})
client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["invoice.paid"]})
client.v1.test_helpers.test_clocks.create({"frozen_time": 1_790_000_000})
seen = set()
for table, rows in send(f"{BASE}/state").items():
    for row in rows if table not in ("events", "webhooks") else []:
        name = OBJECTS[row["object"]]
        seen.add(row["object"])
        check(row, HOME.get(name) or sorted(TYPES.files[name], key=len)[0], name, row["object"])
assert not found, "\n".join(sorted(set(found))[:60])
missing = set(OBJECTS) - seen - {"balance", "event", "item", "line_item", "card", "invoice_payment"}
assert not missing, f"no flow made: {missing}"
balance = client.v1.balance.retrieve()
check(balance.to_dict(), "Balance", "Balance", "balance")
assert not found, found
