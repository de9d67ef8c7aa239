"""A directory that provisions users and groups, with scim2-client: it checks every answer against the schemas."""

import os

from admin import clear_faults, fault, refused
from httpx2 import Client
from scim2_client import Me
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import (InvalidFilterException, MutabilityException, NoTargetException,
                          NotFoundException, PatchOp, PatchOperation, PreconditionFailedException, ResponseParameters,
                          SCIMException, SearchRequest, UnauthorizedException, UniquenessException)

URL = f"{os.environ['TWIN_URL']}/scim/v2"
http = Client(base_url=URL, headers={"Authorization": "Bearer scim-twin"})
scim = SyncSCIMClient(http)
scim.discover()
can = scim.provider.config
assert can.patch.supported and can.etag.supported and not can.bulk.supported
User, Group = scim.get_resource_model("User"), scim.get_resource_model("Group")
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
Enterprise = User.get_extension_model("EnterpriseUser")


def patch(resource, *operations):
    model = type(resource)
    made = [PatchOperation[model](op=op, path=path, value=value) for op, path, value in operations]
    return scim.modify(resource, PatchOp[model](operations=made))


def names(answer):
    return [user.user_name for user in answer.resources or []]


# Users: made, read, listed.
barbara = User(user_name="bjensen", external_id="X-1", display_name="Babs", active=True, password="t1meMa$heen")
barbara.name = {"givenName": "Barbara", "familyName": "Jensen"}
barbara.emails = [{"value": "b@example.com", "type": "work", "primary": True}, {"value": "b@jensen.org", "type": "home"}]
barbara[Enterprise] = Enterprise(department="Tours", employee_number="701984")
barbara = scim.create(barbara)
assert barbara.meta.location == f"{URL}/Users/{barbara.id}" and barbara.meta.version == 'W/"1"', barbara.meta
assert barbara.password is None and barbara[Enterprise].department == "Tours"
refused(UniquenessException, lambda: scim.create(User(user_name="BJENSEN")))
refused(SCIMException, lambda: scim.create(User(), check_request_payload=False))
for name in ("alan", "clara", "dora"):
    scim.create(User(user_name=name, title="Engineer" if name > "b" else None))
page = scim.query(User, SearchRequest[User](sort_by="userName", sort_order="descending", start_index=2, count=2))
assert (page.total_results, page.items_per_page, names(page)) == (4, 2, ["clara", "bjensen"])
for text, wanted in [
    ('userName sw "B"', ["bjensen"]), ('emails[type eq "work" and value co "@example.com"]', ["bjensen"]),
    (f'{ENTERPRISE}:department eq "tours" or userName eq "alan"', ["bjensen", "alan"]),
    ('title pr and not (userName eq "dora")', ["clara"]), ('meta.created gt "2020-01-01T00:00:00Z" and active eq true', ["bjensen"]),
    ('externalId eq "x-1"', []),
]:
    assert names(scim.query(User, SearchRequest[User](filter=text))) == wanted, text
refused(InvalidFilterException, lambda: scim.query(User, {"filter": "userName is 1"}, check_request_payload=False))
few = scim.query(User, barbara.id, ResponseParameters[User](attributes=["userName", "name.familyName"]))
assert (few.user_name, few.name.family_name, few.name.given_name, few.emails) == ("bjensen", "Jensen", None, None)
less = scim.query(User, barbara.id, ResponseParameters[User](excluded_attributes=["emails", "name"]))
assert less.emails is None and less.name is None and less.display_name == "Babs"
found = scim.search(User, SearchRequest[User](filter='userName eq "dora"', attributes=["userName"]))
assert names(found) == ["dora"] and found.resources[0].title is None

# Changed as a whole, only by one who has seen it as it is.
old = scim.query(User, barbara.id)
barbara.display_name = "Barbara"
barbara = scim.replace(barbara)
assert (barbara.display_name, barbara.meta.version) == ("Barbara", 'W/"2"')
old.display_name = "Late"
refused(PreconditionFailedException, lambda: scim.replace(old))
assert http.get(f"/Users/{barbara.id}", headers={"If-None-Match": barbara.meta.version}).status_code == 304

# Changed in parts.
barbara = patch(barbara, ("replace", "name.familyName", "King"), ("add", "emails", [{"value": "new@x.org", "primary": True}]),
                ("replace", 'emails[type eq "home"].value', "home@x.org"), ("remove", 'emails[type eq "work"]', None),
                ("add", f"{ENTERPRISE}:costCenter", "4130"))
assert (barbara.name.family_name, barbara.name.given_name) == ("King", "Barbara")
assert [(mail.value, mail.primary) for mail in barbara.emails] == [("home@x.org", None), ("new@x.org", True)]
assert barbara[Enterprise].cost_center == "4130"
refused(NoTargetException, lambda: patch(barbara, ("replace", 'emails[type eq "fax"].value', "x")))
message = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
           "Operations": [{"op": "replace", "path": "displayName", "value": "no"}, {"op": "replace", "path": "id", "value": "x"}]}
refused(MutabilityException, lambda: scim.modify(User, barbara.id, message, check_request_payload=False))
assert scim.query(User, barbara.id).display_name == "Barbara", "all operations or none"

# Groups and who is in them.
tours = scim.create(Group(display_name="Tours", members=[{"value": barbara.id}]))
assert tours.members[0].ref == f"{URL}/Users/{barbara.id}" and str(tours.members[0].type) == "User"
dora = scim.query(User, SearchRequest[User](filter='userName eq "dora"')).resources[0]
tours = patch(tours, ("add", "members", [{"value": dora.id}]))
assert {member.value for member in tours.members} == {barbara.id, dora.id}
assert [group.display for group in scim.query(User, dora.id).groups] == ["Tours"]
tours = patch(tours, ("remove", f'members[value eq "{barbara.id}"]', None))
tours.display_name = "Guides"
assert scim.replace(tours).display_name == "Guides"
assert [g.id for g in scim.query(Group, SearchRequest[Group](filter=f'members.value eq "{dora.id}"')).resources] == [tours.id]
assert scim.search(Group, SearchRequest[Group](filter='displayName eq "guides"')).total_results == 1
everything = scim.search(search_request=SearchRequest(filter='displayName sw "gui" or userName eq "alan"'))
assert sorted(resource.meta.resource_type for resource in everything.resources) == ["Group", "User"]
scim.delete(dora)
assert scim.query(Group, tours.id).members is None
scim.delete(Group, tours.id)
refused(NotFoundException, lambda: scim.query(Group, tours.id))

# What it does not do, and who may not.
bulk = http.post("/Bulk", json={"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": []})
assert (bulk.status_code, bulk.json()["status"]) == (501, "501")
refused(SCIMException, lambda: scim.query(Me, expected_status_codes=None))
stranger = SyncSCIMClient(Client(base_url=URL, headers={"Authorization": "Bearer nobody"}), provider=scim.provider)
refused(UnauthorizedException, lambda: stranger.query(User))
fault(operation="users.list", kind="status", status=503, first=1)
refused(SCIMException, lambda: scim.query(User, expected_status_codes=None))
clear_faults()
assert scim.query(User).total_results == 3
