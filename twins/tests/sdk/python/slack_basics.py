"""A message is posted and found, and a wrong channel raises the SDK's own error."""

import os

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

client = WebClient(token="xoxb-twin", base_url=os.environ["TWIN_URL"] + "/api/")
assert client.auth_test()["ok"]
sent = client.chat_postMessage(channel="#general", text="hello")
assert sent["message"]["text"] == "hello", sent
assert [channel["name"] for channel in client.conversations_list()["channels"]] == ["general"]
assert client.users_list()["ok"]
try:
    client.chat_postMessage(channel="#nowhere", text="lost")
    raise SystemExit("a channel that does not exist took a message")
except SlackApiError as error:
    assert error.response["error"] == "channel_not_found", error
