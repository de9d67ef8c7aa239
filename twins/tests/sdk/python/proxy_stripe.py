"""Stripe's SDK with its own address, through the proxy. It brings certificates of its own: they are one setting."""

import os

import stripe

stripe.ca_bundle_path = os.environ["SSL_CERT_FILE"]
client = stripe.StripeClient("sk_test_twin")
customer = client.v1.customers.create({"name": "Ada"})
assert client.v1.customers.retrieve(customer.id).name == "Ada"
