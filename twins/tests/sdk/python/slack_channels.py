"""A channel's life, its people, its messages and threads, in the SDK's idioms: pages, typed errors, retries."""

import os

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

client = WebClient(token="xoxb-twin", base_url=os.environ["TWIN_URL"] + "/api/")


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except SlackApiError as error:
        assert error.response["error"] == code, error
        return error.response
    raise SystemExit(f"{call.__name__} was not refused with {code}")


bot = client.auth_test()["user_id"]
ann = client.users_lookupByEmail(email="Ann@example.com")["user"]["id"]
assert client.users_info(user=ann)["user"]["name"] == "ann"
refused("users_not_found", client.users_lookupByEmail, email="nobody@example.com")
refused("user_not_found", client.users_info, user="U404")
assert client.users_getPresence(user=ann)["presence"] == "active"
assert client.users_profile_get(user=ann)["profile"]["email"] == "ann@example.com"
refused("not_allowed_token_type", client.users_profile_set, profile={"status_text": "out"})
person = WebClient(token="xoxp-ann", base_url=os.environ["TWIN_URL"] + "/api/")
assert person.users_profile_set(profile={"status_text": "out"})["profile"]["status_text"] == "out"

# A channel is made, described, renamed and put away.
channel = client.conversations_create(name="launch")["channel"]["id"]
refused("name_taken", client.conversations_create, name="launch")
refused("invalid_name_specials", client.conversations_create, name="Launch!")
assert client.conversations_setTopic(channel=channel, topic="T-1")["channel"]["topic"]["value"] == "T-1"
assert client.conversations_setPurpose(channel=channel, purpose="go")["channel"]["purpose"]["value"] == "go"
assert client.conversations_rename(channel=channel, name="liftoff")["channel"]["name"] == "liftoff"
client.conversations_invite(channel=channel, users=[ann])
assert refused("already_in_channel", client.conversations_invite, channel=channel, users=[ann])["errors"][0]["user"] == ann
assert client.conversations_members(channel=channel)["members"] == [bot, ann]
assert channel in [one["id"] for one in client.users_conversations()["channels"]]
client.conversations_kick(channel=channel, user=ann)
info = client.conversations_info(channel=channel, include_num_members=True)["channel"]
assert (info["num_members"], info["is_member"]) == (1, True), info
assert client.conversations_leave(channel=channel)["ok"]
assert client.conversations_leave(channel=channel)["not_in_channel"]
refused("not_in_channel", client.conversations_history, channel=channel)
assert client.conversations_join(channel=channel)["channel"]["is_member"]
assert client.conversations_join(channel=channel)["warning"] == "already_in_channel"

# Messages: posted, changed, answered, read page by page, removed.
first = client.chat_postMessage(channel=channel, text="one")["ts"]
for text in ["two", "three", "four"]:
    client.chat_postMessage(channel=channel, text=text)
client.chat_update(channel=channel, ts=first, text="uno")
client.chat_postMessage(channel=channel, thread_ts=first, text="reply")
client.chat_postMessage(channel=channel, thread_ts=first, text="shown", reply_broadcast=True)
texts = []
for page in client.conversations_history(channel=channel, limit=2):
    texts += [message["text"] for message in page["messages"] if "subtype" not in message or message["subtype"] == "thread_broadcast"]
assert texts == ["shown", "four", "three", "two", "uno"], texts
thread = client.conversations_replies(channel=channel, ts=first)["messages"]
assert [message["text"] for message in thread] == ["uno", "reply", "shown"], thread
assert (thread[0]["reply_count"], thread[0]["edited"]["user"]) == (2, bot), thread[0]
latest = client.conversations_history(channel=channel, latest=first, inclusive=True, limit=1)["messages"]
assert latest[0]["ts"] == first, latest
link = client.chat_getPermalink(channel=channel, message_ts=first)["permalink"]
assert link.endswith("/p" + first.replace(".", "")), link
client.conversations_mark(channel=channel, ts=first)
refused("message_not_found", client.chat_update, channel=channel, ts="1.000001", text="x")
removed = thread[1]["ts"]
assert client.chat_delete(channel=channel, ts=removed)["ts"] == removed
assert client.conversations_replies(channel=channel, ts=first)["messages"][0]["reply_count"] == 1
assert client.chat_meMessage(channel=channel, text="waves")["ts"]
client.conversations_invite(channel=channel, users=ann)
assert client.chat_postEphemeral(channel=channel, user=ann, text="psst")["message_ts"]
response = refused("invalid_blocks", client.chat_postMessage, channel=channel, text="x", blocks=[{"type": "sector"}])
assert response["errors"] == ["unsupported type: sector [json-pointer:/blocks/0/type]"], response

# Reactions and pins.
client.reactions_add(channel=channel, timestamp=first, name="tada")
refused("already_reacted", client.reactions_add, channel=channel, timestamp=first, name="tada")
assert client.reactions_get(channel=channel, timestamp=first)["message"]["reactions"][0]["count"] == 1
assert client.reactions_list()["items"][0]["message"]["ts"] == first
client.reactions_remove(channel=channel, timestamp=first, name="tada")
refused("no_reaction", client.reactions_remove, channel=channel, timestamp=first, name="tada")
client.pins_add(channel=channel, timestamp=first)
refused("already_pinned", client.pins_add, channel=channel, timestamp=first)
assert client.pins_list(channel=channel)["items"][0]["message"]["pinned_to"] == [channel]
client.pins_remove(channel=channel, timestamp=first)

# A conversation with one person is the same one every time.
direct = client.conversations_open(users=[ann])["channel"]["id"]
assert client.conversations_open(users=[ann])["already_open"]
assert client.chat_postMessage(channel=ann, text="hi")["channel"] == direct
client.conversations_close(channel=direct)

client.conversations_archive(channel=channel)
refused("is_archived", client.chat_postMessage, channel=channel, text="late")
client.conversations_unarchive(channel=channel)
refused("channel_not_found", client.conversations_info, channel="C404")
assert client.api_test(foo="bar")["args"]["foo"] == "bar"
refused("nope", client.api_test, error="nope")
