"""Slack's SDK with its own address, through the proxy."""

from slack_sdk import WebClient

client = WebClient(token="xoxb-twin")
assert client.auth_test()["ok"]
assert client.chat_postMessage(channel="#general", text="hello")["message"]["text"] == "hello"
