"""The shop's memory: one SQLite file. The only module with SQL."""

import json
import sqlite3
import threading
from contextlib import contextmanager

SCHEMA = """
create table if not exists orders (
    id text primary key,
    email text not null,
    payment_method text not null,
    items text not null,
    total_cents integer not null,
    status text not null,
    payment_intent text,
    decline_code text
);
create table if not exists idempotency_keys (
    key text primary key,
    fingerprint text not null,
    order_id text not null references orders (id)
);
"""


class KeyReused(Exception):
    """The idempotency key belongs to an order with another body."""


class Store:
    def __init__(self, path):
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode = wal")
        self._db.executescript(SCHEMA)

    @contextmanager
    def _transaction(self):
        """One thread at a time; all of the block is kept, or nothing of it."""
        with self._lock, self._db:
            yield self._db

    def open_order(self, draft, key, fingerprint):
        """Stores the draft, or finds the order which the key already made."""
        with self._transaction() as db:
            known = db.execute(
                "select fingerprint, order_id from idempotency_keys where key = ?", (key,)
            ).fetchone()
            if known is None:
                insert_order(db, draft)
                if key is not None:
                    db.execute("insert into idempotency_keys values (?, ?, ?)", (key, fingerprint, draft["id"]))
                return draft
            if known["fingerprint"] != fingerprint:
                raise KeyReused(key)
            return select_order(db, known["order_id"])

    def order(self, order_id):
        with self._transaction() as db:
            return select_order(db, order_id)

    def change_status(self, order_id, status, **columns):
        """True for the one call that made the change: its caller tells the customer, and no other does."""
        assignments = "".join(f", {name} = ?" for name in columns)
        with self._transaction() as db:
            order = select_order(db, order_id)
            if order is None or order["status"] == status:
                return False
            db.execute(f"update orders set status = ?{assignments} where id = ?", (status, *columns.values(), order_id))
            return True


def insert_order(db, order):
    db.execute(
        "insert into orders values (:id, :email, :payment_method, :items, :total_cents, :status, null, null)",
        order | {"items": json.dumps(order["items"])},
    )


def select_order(db, order_id):
    row = db.execute("select * from orders where id = ?", (order_id,)).fetchone()
    return row and dict(row) | {"items": json.loads(row["items"])}
