"""Signing in with Authlib: discovery, code with PKCE, verified tokens, refresh with rotation, revocation."""

import os
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

URL = os.environ["TWIN_URL"]
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
server = requests.get(f"{URL}/.well-known/openid-configuration").json()
assert server["issuer"] == URL
BACK = "http://localhost:9/callback"
SCOPE = "openid profile email groups offline_access"


def session(**more):
    more = {"client_id": "web", "client_secret": "web-secret", **more}
    return OAuth2Session(redirect_uri=BACK, code_challenge_method="S256", **more)


def refused(code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except OAuthError as error:
        assert error.error == code, error
        return
    raise SystemExit(f"{call} was not refused with {code}")


def sign_in(client, **more):
    """Goes where a browser would be sent, and gives the address that it is sent back to."""
    verifier = generate_token(48)
    url, state = client.create_authorization_url(server["authorization_endpoint"], code_verifier=verifier, **more)
    answer = requests.get(url, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    back = answer.headers["location"]
    assert parse_qs(urlsplit(back).query)["state"] == [state]
    return back, verifier


client = session(scope=SCOPE)
back, verifier = sign_in(client, nonce="n-1")
token = client.fetch_token(server["token_endpoint"], authorization_response=back, code_verifier=verifier)
keys = KeySet.import_key_set(requests.get(server["jwks_uri"]).json())
claims = jwt.decode(token["id_token"], keys, algorithms=["ES256"]).claims
registry = jwt.JWTClaimsRegistry(iss={"essential": True, "value": URL}, aud={"essential": True, "value": "web"},
                                 nonce={"essential": True, "value": "n-1"})
registry.validate(claims)
assert (claims["sub"], claims["email"], claims["groups"]) == ("ada-1", "ada@example.com", ["admins"]), claims
info = client.get(server["userinfo_endpoint"]).json()
assert (info["sub"], info["name"], info["preferred_username"]) == ("ada-1", "Ada Lovelace", "ada")
# A code is good for one use; the second ends what the first gave.
refused("invalid_grant", session().fetch_token, server["token_endpoint"], authorization_response=back,
        code_verifier=verifier)
assert client.get(server["userinfo_endpoint"]).status_code == 401

back, verifier = sign_in(client, login_hint="bob@example.com")
token = client.fetch_token(server["token_endpoint"], authorization_response=back, code_verifier=verifier)
assert client.get(server["userinfo_endpoint"]).json()["sub"] == "bob"
active = client.introspect_token(server["introspection_endpoint"], token=token["access_token"]).json()
assert (active["active"], active["sub"], active["scope"]) == (True, "bob", SCOPE)
new = client.refresh_token(server["token_endpoint"], refresh_token=token["refresh_token"])
assert new["refresh_token"] != token["refresh_token"]
refused("invalid_grant", client.refresh_token, server["token_endpoint"], refresh_token=token["refresh_token"])
refused("invalid_grant", client.refresh_token, server["token_endpoint"], refresh_token=new["refresh_token"])

back, verifier = sign_in(client)
refused("invalid_grant", session().fetch_token, server["token_endpoint"], authorization_response=back,
        code_verifier="x" * 48)
back, verifier = sign_in(client)
token = client.fetch_token(server["token_endpoint"], authorization_response=back, code_verifier=verifier)
assert client.revoke_token(server["revocation_endpoint"], token=token["refresh_token"]).ok
gone = client.introspect_token(server["introspection_endpoint"], token=token["access_token"]).json()
assert gone == {"active": False}

# Without a person.
service = session(scope="reports")
token = service.fetch_token(server["token_endpoint"], grant_type="client_credentials")
assert "refresh_token" not in token and "id_token" not in token
assert service.get(server["userinfo_endpoint"]).status_code == 403
refused("invalid_client", session(client_secret="other").fetch_token, server["token_endpoint"],
        grant_type="client_credentials")
refused("unauthorized_client", session().fetch_token, server["token_endpoint"], username="ada", password="x")
trusted = session(client_id="trusted", client_secret="t", scope="openid")
assert trusted.fetch_token(server["token_endpoint"], username="bob", password="hunter2")["id_token"]
refused("invalid_grant", trusted.fetch_token, server["token_endpoint"], username="bob", password="wrong")
