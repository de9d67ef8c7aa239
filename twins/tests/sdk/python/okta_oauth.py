"""Okta with access tokens: the SDK proves itself with a key, people sign in at the default authorization server."""

import asyncio
import os
import time
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from okta import models
from okta.client import Client

URL = os.environ["TWIN_URL"]
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
os.environ["OKTA_TESTING_TESTINGDISABLEHTTPSCHECK"] = "true"
PEM = "../../src/services/oidc/rs256_for_tests_only_1.pem"
with open(PEM) as file:
    KEY = file.read()
KEY = KEY[KEY.index("-----BEGIN"):]


def service(*scopes, **more):
    return Client({"orgUrl": URL, "authorizationMode": "PrivateKey", "clientId": "service", "privateKey": KEY,
                   "scopes": list(scopes), **more})


async def management():
    reader = service("okta.users.read")
    me, _, error = await reader.get_user("ada@example.com")
    assert error is None and me.profile.first_name == "Ada", error
    _, _, error = await reader.list_groups()
    assert (error.status, error.error_code) == (403, "E0000006"), error
    manager = service("okta.users.manage", "okta.apps.manage")
    _, _, error = await manager.suspend_user(me.id)
    _, _, error = await manager.unsuspend_user(me.id)
    _, _, error = await service("okta.users.read", clientId="nobody").get_user("ada@example.com")
    assert (error.status, error.error_code) == (401, "invalid_client"), error

    # An application is a client of the default authorization server.
    client = models.OAuthApplicationCredentials(oauthClient=models.ApplicationCredentialsOAuthClient(
        token_endpoint_auth_method="client_secret_post"))
    settings = models.OpenIdConnectApplicationSettings(oauthClient=models.OpenIdConnectApplicationSettingsClient(
        redirect_uris=["http://localhost:9/callback"], response_types=["code"], grant_types=["authorization_code"],
        application_type="web"))
    application = models.OpenIdConnectApplication(name="oidc_client", label="Shop", signOnMode="OPENID_CONNECT",
                                                  credentials=client, settings=settings)
    made, _, error = await manager.create_application(application)
    assert error is None, error
    return made.credentials.oauth_client, manager, me


def bad_assertions():
    """What a client must not be able to prove itself with."""
    now, endpoint = int(time.time()), f"{URL}/oauth2/v1/token"
    key, other = RSAKey.import_key(KEY), RSAKey.generate_key(2048, auto_kid=False)
    good = {"iss": "service", "sub": "service", "aud": endpoint, "exp": now + 300}
    for change, signer, why in [({}, other, "signature"), ({"aud": "https://elsewhere"}, key, "audience"),
                                ({"exp": now - 7200}, key, "expired"), ({"exp": now + 7200}, key, "too far"),
                                ({"iss": "other"}, key, "`iss`"), ({"sub": "other"}, key, "no client")]:
        form = {"grant_type": "client_credentials", "scope": "okta.users.read",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": jwt.encode({"alg": "RS256"}, {**good, **change}, signer)}
        answer = requests.post(endpoint, form)
        assert answer.status_code == 401 and why in answer.json()["error_description"], (why, answer.text)


async def main():
    bad_assertions()
    keys, manager, me = await management()
    server = requests.get(f"{URL}/oauth2/default/.well-known/openid-configuration").json()
    assert (server["issuer"], server["jwks_uri"]) == (f"{URL}/oauth2/default", f"{URL}/oauth2/default/v1/keys")
    client = OAuth2Session(keys.client_id, keys.client_secret, redirect_uri="http://localhost:9/callback",
                           scope="openid profile email groups offline_access", code_challenge_method="S256",
                           token_endpoint_auth_method="client_secret_post")
    verifier = generate_token(48)
    url, _ = client.create_authorization_url(server["authorization_endpoint"], code_verifier=verifier,
                                             login_hint="ada@example.com")
    back = requests.get(url, allow_redirects=False).headers["location"]
    assert parse_qs(urlsplit(back).query)["iss"] == [server["issuer"]]
    token = client.fetch_token(server["token_endpoint"], authorization_response=back, code_verifier=verifier)
    keyset = KeySet.import_key_set(requests.get(server["jwks_uri"]).json())
    claims = jwt.decode(token["id_token"], keyset, algorithms=["RS256"]).claims
    assert (claims["sub"], claims["iss"], claims["groups"]) == (me.id, server["issuer"], ["Everyone"]), claims
    access = jwt.decode(token["access_token"], keyset, algorithms=["RS256"]).claims
    assert (access["aud"], access["sub"], access["uid"]) == ("api://default", "ada@example.com", me.id), access
    assert access["cid"] == keys.client_id and "openid" in access["scp"]
    info = client.get(server["userinfo_endpoint"]).json()
    assert (info["sub"], info["given_name"]) == (me.id, "Ada")
    assert client.introspect_token(server["introspection_endpoint"], token=token["access_token"]).json()["active"]
    # Whoever is suspended is signed out.
    await manager.suspend_user(me.id)
    assert client.get(server["userinfo_endpoint"]).status_code == 401
    await manager.unsuspend_user(me.id)
    assert client.revoke_token(server["revocation_endpoint"], token=token["refresh_token"]).ok

    device = requests.post(server["device_authorization_endpoint"],
                           {"client_id": keys.client_id, "client_secret": keys.client_secret, "scope": "openid"}).json()
    assert device["verification_uri"] == f"{URL}/activate"
    assert requests.get(device["verification_uri_complete"]).ok
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    assert client.fetch_token(server["token_endpoint"], grant_type=grant, device_code=device["device_code"])["id_token"]
    out = requests.get(server["end_session_endpoint"], {"id_token_hint": token["id_token"]})
    assert out.ok, out.text


asyncio.run(main())
