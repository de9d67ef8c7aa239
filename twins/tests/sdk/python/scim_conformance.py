"""The conformance checks of scim2-tester: all of them, and what is known to be otherwise."""

import os

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

http = Client(base_url=f"{os.environ['TWIN_URL']}/scim/v2", headers={"Authorization": "Bearer scim-twin"})
results = check_server(SyncSCIMClient(http))
# A twin says 501 where it does not know an address, so that a gap is seen; and the names of members are shown.
KNOWN = {("random_url", "the status code is 501"), ("check_add_attribute", "unexpected value for 'members'"),
         ("check_replace_attribute", "unexpected value for 'members'")}
failed = [(result.title, result.reason) for result in results if result.status not in (Status.SUCCESS, Status.SKIPPED)]
unknown = [(title, why) for title, why in failed if not any(title == known and part in why for known, part in KNOWN)]
assert not unknown, unknown
assert len(failed) == len(KNOWN) and len(results) > 100, (len(results), failed)
