"""Writes what the types of the Node SDK say about the API: the parameters of each operation and the fields of each object.

The twin reads the output (`src/services/stripe/surface/surface.txt`), and a test compares it with what this script writes for
the SDK that is installed, so a new version of the API shows as a difference. Usage: stripe_surface.py FOLDER, where
FOLDER holds the `*.d.ts` of the resources.

Each line is `name kind`. Behind a name, `!` is required, `?` may be absent and `~` may be null (in parameters: may be
unset). Kinds: `s` text, `i` integer, `f` number, `d` decimal in text, `b` boolean, `t` integer or one of the words
behind it, `m` metadata, `r` a range of numbers, `*` anything, `(a|b)` one of, `[K]` a list, `{...}` an object,
`@name` the id of an expandable object, `L@name` a list object.
"""

import re
import sys
from pathlib import Path

DEPTH_MAX = 5
WORDS_MAX = 40  # longer lists of words say little, except the names of events
OPERATIONS = {
    "customers": ("Customer", "create retrieve update delete list search createBalanceTransaction:create_balance_transaction"
                  " listBalanceTransactions:list_balance_transactions retrieveBalanceTransaction:retrieve_balance_transaction"
                  " updateBalanceTransaction:update_balance_transaction"
                  " listPaymentMethods:list_payment_methods retrievePaymentMethod:retrieve_payment_method"),
    "payment_methods": ("PaymentMethod", "create retrieve update list attach detach"),
    "payment_intents": ("PaymentIntent", "create retrieve update list search confirm capture cancel"
                        " incrementAuthorization:increment_authorization"),
    "setup_intents": ("SetupIntent", "create retrieve update list confirm cancel"),
    "charges": ("Charge", "retrieve update list search capture"),
    "refunds": ("Refund", "create retrieve update list cancel"),
    "disputes": ("Dispute", "retrieve update list close"),
    "tokens": ("Token", "create retrieve"),
    "balance": ("Balance", "retrieve"),
    "balance_transactions": ("BalanceTransaction", "retrieve list"),
    "products": ("Product", "create retrieve update delete list search"),
    "prices": ("Price", "create retrieve update list search"),
    "coupons": ("Coupon", "create retrieve update delete list"),
    "checkout.sessions": ("Session", "create retrieve update list expire listLineItems:list_line_items"),
    "subscriptions": ("Subscription", "create retrieve update cancel list search"),
    "subscription_items": ("SubscriptionItem", "create retrieve update delete list"),
    "invoices": ("Invoice", "create retrieve update delete list search pay finalizeInvoice:finalize voidInvoice:void"
                 " sendInvoice:send markUncollectible:mark_uncollectible createPreview:create_preview"
                 " listLineItems:list_lines"),
    "invoice_items": ("InvoiceItem", "create retrieve update delete list"),
    "events": ("Event", "retrieve list"),
    "webhook_endpoints": ("WebhookEndpoint", "create retrieve update delete list"),
    "test_clocks": ("TestClock", "create retrieve list advance delete"),
}
OBJECTS = {
    "customer": "Customer", "payment_method": "PaymentMethod", "payment_intent": "PaymentIntent",
    "setup_intent": "SetupIntent", "charge": "Charge", "refund": "Refund", "dispute": "Dispute", "token": "Token",
    "balance": "Balance", "balance_transaction": "BalanceTransaction", "product": "Product", "price": "Price",
    "coupon": "Coupon", "checkout.session": "Session", "item": "LineItem", "subscription": "Subscription",
    "subscription_item": "SubscriptionItem", "invoice": "Invoice", "invoiceitem": "InvoiceItem",
    "line_item": "InvoiceLineItem", "invoice_payment": "InvoicePayment", "event": "EventBase",
    "webhook_endpoint": "WebhookEndpoint",
    "test_helpers.test_clock": "TestClock", "customer_balance_transaction": "CustomerBalanceTransaction",
    "card": "Card", "discount": "Discount",
}
# Where a type's name is in several files.
HOME = {"Session": "Checkout/Sessions", "SessionCreateParams": "Checkout/Sessions", "Card": "Cards", "Token": "Tokens",
        "Dispute": "Disputes", "SessionRetrieveParams": "Checkout/Sessions", "SessionListParams": "Checkout/Sessions",
        "SessionUpdateParams": "Checkout/Sessions", "SessionExpireParams": "Checkout/Sessions",
        "SessionListLineItemsParams": "Checkout/Sessions"}
# What the API takes and the types leave out: raw card data, and what a browser sends.
UNTYPED = {"payment_method_data": ["card {cvc s exp_month i exp_year i number s token s}"]}
# `payment_method_types` was the name until endive: clients that pin an older version still send it.
TYPES = ["payment_method_types [s]"]
UNTYPED_OF = {"PaymentIntentCreateParams": TYPES, "PaymentIntentUpdateParams": TYPES, "SetupIntentCreateParams": TYPES,
              "SetupIntentUpdateParams": TYPES, "SessionCreateParams": TYPES,
              "PaymentIntentConfirmParams": ["client_secret s", *TYPES], "SetupIntentConfirmParams": ["client_secret s"]}
# Methods of payment and bank transfer other than cards: their names are known, their insides are not.
CARDS_ONLY = {"payment_method_options", "payment_method_data", "payment_method_details"}
SHARED = {"string": "s", "number": "i", "boolean": "b", "Decimal": "d", "Metadata": "m", "MetadataParam": "m",
          "RangeQueryParam": "r", "OtherString": "s", "any": "*", "unknown": "*", "Uint8Array": "*"}
FRACTIONS = re.compile(r"percent|percentage")


class Types:
    """All interfaces and aliases by file and qualified name."""

    def __init__(self, folder):
        self.interfaces, self.aliases, self.files, self.imports = {}, {}, {}, {}
        for path in sorted(folder.glob("**/*.d.ts")) + [folder.parent / "shared.d.ts"]:
            home = str(path.relative_to(folder))[:-5] if folder in path.parents else "shared"
            if not home.startswith("V2/"):
                self.read(home, path.read_text())

    def read(self, home, text):
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        self.imports[home] = dict(
            (new or old, old) for names in re.findall(r"import \{([^}]*)\}", text)
            for old, new in re.findall(r"(\w+)(?: as (\w+))?", names))
        scope = []
        for line in re.sub(r"\{\s*\[(?:key|name): string\]: [^;]*;\s*\}", "any", text).splitlines():
            line = line.strip()
            opened = re.match(r"(?:export )?(?:declare )?(interface|namespace|class) (\w+)(?: extends ([\w., ]+))? \{(\})?$", line)
            if opened:
                what, name, base, closed = opened.groups()
                path = ".".join([n for _, n in scope] + [name])
                self.files.setdefault(path.split(".")[0], set()).add(home)
                if what == "interface":
                    self.interfaces[home, path] = ({}, base)
                if not closed:
                    scope.append((what, name))
            elif line.startswith(("type ", "export type ", "export declare type ")):
                alias = re.match(r"(?:export )?(?:declare )?type (\w+)(?:<T>)? = (.*);$", line)
                if not alias:
                    continue
                name, kind = alias.groups()
                path = ".".join([n for _, n in scope] + [name])
                self.files.setdefault(path.split(".")[0], set()).add(home)
                self.aliases[home, path] = kind
            elif line == "}" and scope:
                scope.pop()
            elif scope and scope[-1][0] == "interface":
                field = re.match(r"'?([\w.]+)'?(\?)?: (.*?);?$", line)
                if field:
                    name, optional, kind = field.groups()
                    path = ".".join(n for _, n in scope)
                    self.interfaces[home, path][0][name] = (bool(optional), kind)

    def find(self, home, scope, name):
        """The file and the qualified name that `name` means at this place."""
        if name.startswith("Stripe."):
            name = name[7:]
        for depth in range(len(scope), -1, -1):
            path = ".".join(scope[:depth] + [name])
            if (home, path) in self.interfaces or (home, path) in self.aliases:
                return home, path
        head, _, rest = name.partition(".")
        head = self.imports.get(home, {}).get(head, head)
        homes = self.files.get(head, set())
        if not homes:
            return None
        home = HOME.get(head) or sorted(homes, key=len)[0]
        return home, head + ("." + rest if rest else "")

    def fields(self, home, path):
        own, base = self.interfaces[home, path]
        found = {}
        for name in (base or "").split(","):
            if name.strip():
                where = self.find(home, path.split("."), name.strip())
                found.update(self.fields(*where))
        found.update(own)
        return found


def parts(kind):
    """The members of a union, at the top level of the type."""
    members, depth, now = [], 0, ""
    for letter in kind:
        depth += letter in "<{(["
        depth -= letter in ">})]"
        if letter == "|" and depth == 0:
            members.append(now.strip())
            now = ""
        else:
            now += letter
    return [member for member in members + [now.strip()] if member]


class Writer:
    def __init__(self, types, answers):
        self.types, self.answers = types, answers
        self.by_type = {name: known for known, name in OBJECTS.items()}
        self.by_type["TestHelpers.TestClock"], self.by_type["Checkout.Session"] = "test_helpers.test_clock", "checkout.session"

    def kind(self, home, scope, text, name, depth):
        """(kind, nullable)"""
        members, nullable = parts(text), False
        if len(members) == 1 and (inner := re.match(r"Emptyable<(.*)>$", members[0])):
            return self.kind(home, scope, inner[1], name, depth)[0], True
        kinds, words = [], []
        for member in members:
            if member in ("null", "''", "void"):
                nullable = True
            elif member.startswith("'"):
                words.append(member.strip("'"))
            else:
                kinds.append(member)
        kinds = [kind for kind in kinds if kind != "OtherString"]
        if words and not kinds:
            many = len(words) > (0 if self.answers and depth > 1 else WORDS_MAX) and name != "enabled_events"
            return ("s" if many else f"({'|'.join(words)})"), nullable
        if words:
            return ("t" + f"({'|'.join(words)})" if kinds == ["number"] else "*"), nullable
        objects = [kind for kind in kinds if kind != "string"]
        if "string" in kinds and objects:
            known = [self.by_type[kind] for kind in objects if kind in self.by_type]
            if self.answers:
                return "@" + (known[0] if known else ""), nullable
            return "*", nullable
        if "RangeQueryParam" in kinds:
            return "r", nullable
        if len(kinds) != 1:
            return "*", nullable
        kind, more = self.one(home, scope, kinds[0], name, depth)
        return kind, nullable or more

    def one(self, home, scope, text, name, depth):
        if text in SHARED:
            return ("f" if text == "number" and FRACTIONS.search(name) else SHARED[text]), False
        if inner := re.match(r"Array<(.*)>$", text):
            return f"[{self.kind(home, scope, inner[1], name, depth)[0]}]", False
        if inner := re.match(r"ApiList<(.*)>$", text):
            return "L@" + self.by_type.get(inner[1], ""), False
        if not re.match(r"[\w.]+$", text):
            return "*", False
        if text in self.by_type and depth > 0:
            return "@" + self.by_type[text], False
        where = self.types.find(home, scope, text)
        if where in self.types.aliases:
            path = where[1].split(".")
            return self.kind(where[0], path[:-1], self.types.aliases[where], name, depth)
        if where not in self.types.interfaces or depth >= DEPTH_MAX:
            return "*", False
        fields = self.object(*where, depth, name if name in CARDS_ONLY else None)
        extra = UNTYPED.get(name, []) if not self.answers else []
        return "{" + " ".join([*fields, *extra]) + "}", False

    def object(self, home, path, depth, only=None):
        for name, (optional, kind) in self.types.fields(home, path).items():
            if name in ("expand", "deleted"):
                continue
            words, nullable = self.kind(home, path.split("."), kind, name, depth + 1)
            if only and name not in ("card", "type", "billing_details", "metadata", "allow_redisplay") and words[0] == "{":
                words = "*"
            mark = "?" if self.answers and optional else "!" if not self.answers and not optional else ""
            yield f"{name}{mark}{'~' if nullable else ''} {words}"


def surface(types):
    """The lines of the file."""
    yield "# Written by tests/sdk/python/stripe_surface.py from the types of the Node SDK; not to be changed by hand."
    for resource, (name, verbs) in OPERATIONS.items():
        for verb in verbs.split():
            method, _, shown = verb.partition(":")
            params = f"{name}{method[0].upper()}{method[1:]}Params"
            # Other parts of the API have names of the same kind, in folders of their own.
            homes = sorted(((home, path) for home, path in types.interfaces
                            if path.split(".")[-1] == params and home == HOME.get(params, home)),
                           key=lambda place: place[0].count("/"))
            yield f"\nparams {resource}.{shown or method}"
            for line in [*Writer(types, False).object(*homes[0], 0), *UNTYPED_OF.get(params, [])]:
                yield "  " + line
    for known, name in OBJECTS.items():
        home = HOME.get(name) or sorted(types.files[name], key=len)[0]
        yield f"\nobject {known}"
        for line in Writer(types, True).object(home, name, 0):
            yield "  " + line


if __name__ == "__main__":
    print("\n".join(surface(Types(Path(sys.argv[1])))))
