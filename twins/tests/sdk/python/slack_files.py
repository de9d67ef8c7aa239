"""Files by the three steps of `files_upload_v2`, messages that wait, and how an app gets its token."""

import os
import urllib.request

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

url = os.environ["TWIN_URL"]
client = WebClient(token="xoxb-twin", base_url=url + "/api/")
general = client.conversations_list()["channels"][0]["id"]

uploaded = client.files_upload_v2(channel=general, filename="notes.txt", content="hello", initial_comment="read me")
file = uploaded["file"]
assert (file["name"], file["size"], file["filetype"]) == ("notes.txt", 5, "text"), file
request = urllib.request.Request(file["url_private"], headers={"Authorization": "Bearer xoxb-twin"})
assert urllib.request.urlopen(request).read() == b"hello"
assert client.files_info(file=file["id"])["content"] == "hello"
assert [one["id"] for one in client.files_list(channel=general)["files"]] == [file["id"]]
message = client.conversations_history(channel=general)["messages"][0]
assert (message["text"], message["files"][0]["id"]) == ("read me", file["id"]), message
client.files_delete(file=file["id"])
try:
    client.files_info(file=file["id"])
    raise SystemExit("a file that is gone was shown")
except SlackApiError as error:
    assert error.response["error"] == "file_not_found", error

now = 1_795_176_000  # where the tests' clock starts
waiting = client.chat_scheduleMessage(channel=general, post_at=now + 3_600, text="later")
listed = client.chat_scheduledMessages_list(channel=general)["scheduled_messages"]
assert [one["id"] for one in listed] == [waiting["scheduled_message_id"]], listed
client.chat_deleteScheduledMessage(channel=general, scheduled_message_id=waiting["scheduled_message_id"])
assert client.chat_scheduledMessages_list()["scheduled_messages"] == []
try:
    client.chat_scheduleMessage(channel=general, post_at=now - 1, text="earlier")
    raise SystemExit("a message was scheduled for the past")
except SlackApiError as error:
    assert error.response["error"] == "time_in_past", error

stranger = WebClient(base_url=url + "/api/")
given = stranger.oauth_v2_access(client_id="1000.2000", client_secret="twin-client-secret", code="let-me-in")
assert (given["access_token"], given["token_type"]) == ("xoxb-twin", "bot"), given
try:
    stranger.oauth_v2_access(client_id="1000.2000", client_secret="twin-client-secret", code="let-me-in")
    raise SystemExit("a code was taken twice")
except SlackApiError as error:
    assert error.response["error"] == "code_already_used", error

reader = WebClient(token="xoxb-reader", base_url=url + "/api/")
try:
    reader.chat_postMessage(channel=general, text="x")
    raise SystemExit("a token without the scope posted")
except SlackApiError as error:
    assert (error.response["error"], error.response["needed"]) == ("missing_scope", "chat:write"), error

client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
assert client.views_publish(
    user_id=client.users_lookupByEmail(email="ann@example.com")["user"]["id"],
    view={"type": "home", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "hi"}}]},
)["view"]["type"] == "home"
