"""Settings, read once from the environment."""

import os
from typing import NamedTuple


class Config(NamedTuple):
    port: int
    data_dir: str
    stripe_base: str
    stripe_key: str
    webhook_secret: str
    sendgrid_base: str
    sendgrid_key: str
    slack_base: str
    slack_token: str
    slack_channel: str
    provider_timeout_s: float
    retry_base_s: float


def from_environment():
    env = os.environ
    return Config(
        port=int(env["PORT"]),
        data_dir=env["DATA_DIR"],
        stripe_base=env["STRIPE_API_BASE"].rstrip("/"),
        stripe_key=env["STRIPE_SECRET_KEY"],
        webhook_secret=env["STRIPE_WEBHOOK_SECRET"],
        sendgrid_base=env["SENDGRID_API_BASE"].rstrip("/"),
        sendgrid_key=env["SENDGRID_API_KEY"],
        slack_base=env["SLACK_API_BASE"].rstrip("/"),
        slack_token=env["SLACK_BOT_TOKEN"],
        slack_channel=env["SLACK_CHANNEL"],
        provider_timeout_s=int(env["PROVIDER_TIMEOUT_MS"]) / 1000,
        retry_base_s=int(env["RETRY_BASE_MS"]) / 1000,
    )
