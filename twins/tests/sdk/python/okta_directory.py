"""Users, groups and applications of an organization, as the Okta SDK handles them."""

import asyncio
import os
from datetime import datetime, timezone

import requests
from admin import act, advance, clear_faults, fault
from okta import models
from okta.client import Client
from okta.pagination import PaginationHelper

URL = os.environ["TWIN_URL"]
os.environ["OKTA_TESTING_TESTINGDISABLEHTTPSCHECK"] = "true"
CONFIG = {"orgUrl": URL, "token": "00twin",
          "rateLimit": {"maxRetries": 2}, "requestTimeout": 0, "cache": {"enabled": False}}


async def ok(call):
    answer = await call
    assert answer[-1] is None, answer[-1]
    return answer[0]


async def refused(status, code, call, cause=None):
    answer = await call
    error = answer[-1]
    assert error is not None, f"{code} was expected"
    assert (error.status, error.error_code) == (status, code), error
    assert error.error_id.startswith("oae") and error.error_link == code
    assert cause is None or any(cause in known["errorSummary"] for known in error.error_causes), error.error_causes


def person(login, first="Grace", last="Hopper", password=None, **more):
    profile = models.UserProfile(login=login, email=login, firstName=first, lastName=last, **more)
    credentials = models.UserCredentialsWritable(password=models.PasswordCredential(value=password)) if password else None
    return models.CreateUserRequest(profile=profile, credentials=credentials)


async def every(call, **query):
    """All pages, followed as the SDK says."""
    rows, after = [], None
    while True:
        page, answer, error = await call(after=after, **query)
        assert error is None, error
        rows += page
        after = PaginationHelper.extract_next_cursor(answer.headers)
        if after is None:
            return rows


async def users(client):
    me = await ok(client.get_user("me"))
    assert (me.profile.login, me.status) == ("ada@example.com", "ACTIVE")
    grace = await ok(client.create_user(person("grace@example.com", password="Passw0rd!", department="Navy")))
    assert (grace.status, grace.id[:3], grace.activated is not None) == ("ACTIVE", "00u", True)
    assert (await ok(client.get_user("GRACE@example.com"))).id == grace.id == (await ok(client.get_user("grace"))).id
    await refused(400, "E0000001", client.create_user(person("grace@example.com")), "already exists")
    await refused(400, "E0000001", client.create_user(person("not an address")), "form of an email address")
    await refused(400, "E0000001", client.create_user(person("x@example.com", password="short")), "at least 8")
    await refused(404, "E0000007", client.get_user("nobody"))
    for number in range(5):
        await ok(client.create_user(person(f"u{number}@example.com", "User", f"Number {number}"), activate=False))
    staged = await every(client.list_users, search='status eq "STAGED" and profile.lastName sw "number"', limit=2,
                         sort_by="profile.login", sort_order="desc")
    assert [user.profile.login[:2] for user in staged] == ["u4", "u3", "u2", "u1", "u0"]
    found = await ok(client.list_users(filter='profile.login eq "grace@example.com" or status eq "LOCKED_OUT"'))
    assert [user.id for user in found] == [grace.id]
    assert [user.id for user in await ok(client.list_users(q="hop"))] == [grace.id]
    since = datetime(2026, 1, 2, tzinfo=timezone.utc).isoformat().replace("+00:00", "Z")
    assert len(await ok(client.list_users(search=f'lastUpdated gt "{since}" and not (profile.login sw "u")'))) == 1
    await refused(400, "E0000031", client.list_users(search="profile.login is 1"), "expected an operator")
    await refused(400, "E0000031", client.list_users(filter='profile.department eq "Navy"'), "not supported")

    change = models.UpdateUserRequest(profile=models.UserProfile(title="Rear Admiral"))
    changed = await ok(client.update_user(grace.id, change))
    assert (changed.profile.title, changed.profile.department) == ("Rear Admiral", "Navy")
    whole = models.UserProfile(login="grace@example.com", email="grace@example.com", firstName="Grace", lastName="Hopper")
    replaced = await ok(client.replace_user(grace.id, models.UpdateUserRequest(profile=whole)))
    assert replaced.profile.title is None
    await lifecycle(client, grace, staged[0])
    return grace


async def lifecycle(client, grace, staged):
    token = await ok(client.activate_user(staged.id, send_email=False))
    assert token.activation_url.startswith(URL) and token.activation_token
    assert (await ok(client.get_user(staged.id))).status == "PROVISIONED"
    assert (await ok(client.reactivate_user(staged.id, send_email=False))).activation_token != token.activation_token
    await refused(403, "E0000016", client.activate_user(grace.id, send_email=False))
    await ok(client.suspend_user(grace.id))
    await refused(400, "E0000001", client.suspend_user(grace.id), "not active")
    assert (await ok(client.get_user(grace.id))).status == "SUSPENDED"
    await ok(client.unsuspend_user(grace.id))
    await refused(403, "E0000032", client.unlock_user(grace.id))
    act({"lock_user": {"user": "grace@example.com"}})
    await ok(client.unlock_user(grace.id))
    await ok(client.reset_factors(grace.id))

    def change(old, new):
        passwords = models.ChangePasswordRequest(oldPassword=models.PasswordCredential(value=old),
                                                 newPassword=models.PasswordCredential(value=new))
        return client.change_password(grace.id, passwords)
    assert (await ok(change("Passw0rd!", "An0ther-one"))).provider.type == "OKTA"
    await refused(403, "E0000014", change("Passw0rd!", "Third-0ne"), "Old Password is not correct")
    assert (await ok(client.reset_password(grace.id, send_email=False))).reset_password_url.startswith(URL)
    assert (await ok(client.get_user(grace.id))).status == "RECOVERY"
    assert (await ok(change("An0ther-one", "Third-0ne!"))).password is not None
    assert (await ok(client.expire_password(grace.id))).status == "PASSWORD_EXPIRED"
    await ok(client.expire_password_with_temp_password(grace.id))
    await refused(403, "E0000034", client.forgot_password(grace.id))
    await ok(client.deactivate_user(staged.id))
    assert staged.id not in [user.id for user in await ok(client.list_users())]
    await ok(client.delete_user(staged.id))
    await refused(404, "E0000007", client.get_user(staged.id))


async def groups(client, grace):
    profile = models.OktaUserGroupProfile(name="Engineers", description="Who builds")
    group = await ok(client.add_group(models.AddGroupRequest(profile=profile)))
    assert (group.type, group.id[:3]) == ("OKTA_GROUP", "00g")
    await refused(400, "E0000001", client.add_group(models.AddGroupRequest(profile=profile)), "already exists")
    await ok(client.assign_user_to_group(group.id, grace.id))
    await ok(client.assign_user_to_group(group.id, "ada@example.com"))
    members = await every(lambda **query: client.list_group_users(group.id, **query), limit=1)
    assert {user.profile.login for user in members} == {"ada@example.com", "grace@example.com"}
    assert [g.profile.actual_instance.name for g in await ok(client.list_user_groups(grace.id))] == ["Everyone", "Engineers"]
    assert [g.id for g in await ok(client.list_groups(search='profile.name eq "engineers"'))] == [group.id]
    assert [g.id for g in await ok(client.list_groups(filter='type eq "OKTA_GROUP"'))] == [group.id]
    assert [g.id for g in await ok(client.list_groups(q="Eng"))] == [group.id]
    renamed = models.AddGroupRequest(profile=models.OktaUserGroupProfile(name="Builders"))
    assert (await ok(client.replace_group(group.id, renamed))).profile.actual_instance.name == "Builders"
    assert (await ok(client.get_group(group.id))).last_membership_updated > group.last_membership_updated
    await ok(client.unassign_user_from_group(group.id, "ada@example.com"))
    everyone = (await ok(client.list_groups(q="Every")))[0]
    await refused(403, "E0000006", client.delete_group(everyone.id))
    return group


async def applications(client, grace, group):
    settings = models.BookmarkApplicationSettings(app=models.BookmarkApplicationSettingsApplication(
        url="https://example.com", requestIntegration=False))
    link = models.BookmarkApplication(name="bookmark", label="Wiki", signOnMode="BOOKMARK", settings=settings)
    wiki = await ok(client.create_application(link))
    assert (wiki.status, wiki.label, wiki.sign_on_mode) == ("ACTIVE", "Wiki", "BOOKMARK")
    given = models.AppUserAssignRequest(id=grace.id, scope="USER", credentials=models.AppUserCredentials(userName="gh"))
    assert (await ok(client.assign_user_to_application(wiki.id, given))).credentials.user_name == "gh"
    by_group = await ok(client.assign_group_to_application(wiki.id, group.id, models.ApplicationGroupAssignment(priority=1)))
    assert (by_group.id, by_group.priority) == (group.id, 1)
    await ok(client.assign_user_to_group(group.id, "ada@example.com"))
    scopes = {user.credentials.user_name: user.scope for user in await ok(client.list_application_users(wiki.id))}
    assert scopes == {"gh": "USER", "ada@example.com": "GROUP"}
    assert (await ok(client.get_application_user(wiki.id, grace.id))).scope == "USER"
    await ok(client.unassign_user_from_application(wiki.id, grace.id))
    assert (await ok(client.get_application_user(wiki.id, grace.id))).scope == "GROUP"
    assert [a.label for a in await ok(client.list_assigned_applications_for_group(group.id))] == ["Wiki"]
    assert [link.label for link in await ok(client.list_app_links(grace.id))] == ["Wiki"]
    assert [a.id for a in await ok(client.list_application_group_assignments(wiki.id))] == [group.id]
    assert (await ok(client.get_application_group_assignment(wiki.id, group.id))).priority == 1
    assert [a.id for a in await ok(client.list_applications(filter=f'user.id eq "{grace.id}"'))] == [wiki.id]
    assert [a.id for a in await ok(client.list_applications(q="wik"))] == [wiki.id]
    link.label = "Handbook"
    assert (await ok(client.replace_application(wiki.id, link))).label == "Handbook"
    await ok(client.unassign_application_from_group(wiki.id, group.id))
    await refused(403, "E0000006", client.delete_application(wiki.id))
    await ok(client.deactivate_application(wiki.id))
    assert (await ok(client.get_application(wiki.id))).status == "INACTIVE"
    await ok(client.activate_application(wiki.id))
    await ok(client.deactivate_application(wiki.id))
    await ok(client.delete_application(wiki.id))
    await refused(404, "E0000007", client.get_application(wiki.id))
    await ok(client.delete_group(group.id))


async def sessions(client):
    signed_in = requests.post(f"{URL}/api/v1/authn", json={"username": "ada@example.com", "password": "Passw0rd!"}).json()
    begun = requests.post(f"{URL}/api/v1/sessions", json={"sessionToken": signed_in["sessionToken"]}).json()
    session = await ok(client.get_session(begun["id"]))
    assert (session.login, session.status) == ("ada@example.com", "ACTIVE")
    advance(3600)
    assert (await ok(client.refresh_session(session.id))).expires_at > session.expires_at
    await ok(client.revoke_session(session.id))
    await refused(404, "E0000007", client.get_session(session.id))
    await ok(client.revoke_user_sessions("ada@example.com", oauth_tokens=True))


async def limits(client):
    # The SDK waits until the limit is over, as the headers say, and asks again.
    fault(operation="users.get", kind="rate_limit", first=1, retry_after_s=0)
    assert (await ok(client.get_user("ada"))).id
    clear_faults()
    stranger = Client({**CONFIG, "token": "00nobody"})
    await refused(401, "E0000011", stranger.get_user("me"))


async def main():
    client = Client(CONFIG)
    grace = await users(client)
    group = await groups(client, grace)
    await applications(client, grace, group)
    await sessions(client)
    await limits(client)


asyncio.run(main())
