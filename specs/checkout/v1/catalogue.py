"""What the shop sells, and which orders make sense. Pure: no I/O."""

PRODUCTS = [
    {"sku": "mug", "name": "Enamel mug", "price_cents": 1200},
    {"sku": "notebook", "name": "Dot-grid notebook", "price_cents": 800},
    {"sku": "lamp", "name": "Reading lamp", "price_cents": 4550},
    {"sku": "sticker", "name": "Sticker sheet", "price_cents": 325},
]
BY_SKU = {product["sku"]: product for product in PRODUCTS}

EMAIL_LENGTH_MAX = 254  # the longest address that SMTP carries
LINES_MAX = 50
QUANTITY_MAX = 100


def problems(body):
    """Every wrong field with what is wrong about it; empty for a good order."""
    found = {}
    if not is_email(body.get("email")):
        found["email"] = "must be an e-mail address"
    if not is_payment_method(body.get("payment_method")):
        found["payment_method"] = "must be the id of a payment method, pm_…"
    items = body.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= LINES_MAX:
        found["items"] = f"must be a list of 1 to {LINES_MAX} lines"
    else:
        for index, item in enumerate(items):
            found.update(line_problems(f"items[{index}]", item))
    return found


def line_problems(place, item):
    item = item if isinstance(item, dict) else {}
    found = {}
    sku = item.get("sku")
    if not isinstance(sku, str) or sku not in BY_SKU:
        found[f"{place}.sku"] = "is not in the catalogue"
    quantity = item.get("quantity")
    # `type` and not `isinstance`: True is an int in Python, and not a quantity.
    if type(quantity) is not int or not 1 <= quantity <= QUANTITY_MAX:
        found[f"{place}.quantity"] = f"must be a whole number from 1 to {QUANTITY_MAX}"
    return found


def is_email(value):
    if not isinstance(value, str) or len(value) > EMAIL_LENGTH_MAX or any(c.isspace() for c in value):
        return False
    user, at, domain = value.partition("@")
    return bool(user and at and domain) and "@" not in domain


def is_payment_method(value):
    return isinstance(value, str) and value.startswith("pm_")


def priced(items):
    """The lines of a good order with names and amounts filled in."""
    return [priced_line(BY_SKU[item["sku"]], item["quantity"]) for item in items]


def priced_line(product, quantity):
    return {
        "sku": product["sku"],
        "name": product["name"],
        "quantity": quantity,
        "unit_price_cents": product["price_cents"],
        "line_total_cents": product["price_cents"] * quantity,
    }
