"""A device without a browser, and tokens signed with RS256: Authlib asks and checks."""

import os

import requests
from admin import act, advance
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE
from joserfc import jwt
from joserfc.jwk import KeySet

URL = os.environ["TWIN_URL"]
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
server = requests.get(f"{URL}/.well-known/openid-configuration").json()
assert DEVICE_CODE_GRANT_TYPE in server["grant_types_supported"]
client = OAuth2Session(client_id="tv", token_endpoint_auth_method="none", scope="openid email offline_access")


def begin():
    form = {"client_id": "tv", "scope": client.scope}
    return requests.post(server["device_authorization_endpoint"], form).json()


def fetch(device):
    return client.fetch_token(server["token_endpoint"], grant_type=DEVICE_CODE_GRANT_TYPE, device_code=device["device_code"])


def refused(code, device):
    try:
        fetch(device)
    except OAuthError as error:
        assert error.error == code, error
        return
    raise SystemExit(f"the device was not refused with {code}")


# Asking too often makes the device wait longer; waiting is time of the twin.
device = begin()
assert (device["interval"], device["expires_in"]) == (5, 600), device
refused("authorization_pending", device)
refused("slow_down", device)
advance(9)
refused("slow_down", device)
advance(15)
refused("authorization_pending", device)
act({"approve_device": {"user_code": device["user_code"].lower().replace("-", " "), "user": "ada"}})
token = fetch(device)
keys = KeySet.import_key_set(requests.get(server["jwks_uri"]).json())
claims = jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims
assert (claims["sub"], claims["aud"], claims["email"]) == ("ada", "tv", "ada@example.com"), claims
assert client.get(server["userinfo_endpoint"]).json()["sub"] == "ada"
new = client.refresh_token(server["token_endpoint"], refresh_token=token["refresh_token"])
assert new["access_token"] != token["access_token"]
refused("invalid_grant", device)

# A person says no, or nothing.
device = begin()
act({"deny_device": {"user_code": device["user_code"]}})
refused("access_denied", device)
device = begin()
advance(601)
refused("expired_token", device)

# A new key signs, the old one still proves what it signed.
act("rotate_keys")
device = begin()
assert requests.get(device["verification_uri_complete"]).ok
again = fetch(device)
keys = KeySet.import_key_set(requests.get(server["jwks_uri"]).json())
for signed in (token, again):
    assert jwt.decode(signed["id_token"], keys, algorithms=["RS256"]).claims["sub"] == "ada"
assert len({key.thumbprint() for key in keys.keys}) == 2
