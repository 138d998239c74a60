"""An application made of Flask and Authlib, for the tests. Each line of standard input is a command in JSON, answered by a line:
{"done": …}, or {"refused": "…"} with the words of the library, or the gateway's error code."""

import json
import secrets
import sys
import time
from urllib.parse import parse_qsl, urlsplit

from authlib.common.urls import add_params_to_uri
from authlib.integrations.flask_client import OAuth
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from flask import Flask, jsonify, redirect, request
from joserfc import jwt
from joserfc.errors import InvalidClaimError
from joserfc.jwk import ECKey, KeySet, RSAKey
from requests import Response

HOME = "https://app.test"
SCOPE = "openid profile email roles offline_access"
LOGGED_OUT = "http://schemas.openid.net/event/backchannel-logout"


class Proof:
    """A private key, and the assertions that it signs."""

    def __init__(self, alg):
        parameters = {"kid": f"{alg}-key", "alg": alg, "use": "sig"}
        self.alg = alg
        self.key = ECKey.generate_key("P-256", parameters) if alg == "ES256" else RSAKey.generate_key(2048, parameters)

    def __call__(self, client, method, uri, headers, body):
        # Authlib's own live for an hour, and the gateway takes ten minutes at most; given claims keep the first jti.
        signer = PrivateKeyJWT(claims={"exp": int(time.time()) + 60}, headers={"kid": self.key.kid}, alg=self.alg)
        return signer(client, method, uri, headers, body)


class Application:
    """The vendor's app, with one browser at it."""

    proof = None

    def key(self, alg):
        self.proof = Proof(alg)
        return KeySet([self.proof.key]).as_dict(private=False)

    def discover(self, issuer, client_id, method, alg, secret=None):
        self.issuer, self.handed = issuer, None
        flask = Flask(__name__)
        flask.config.update(SECRET_KEY=secrets.token_bytes(), TESTING=True)
        secret = self.proof.key if method == "private_key_jwt" else secret
        self.auth = {"token_endpoint_auth_method": method, "revocation_endpoint_auth_method": method}
        self.client = OAuth(flask).register(
            "gatehouse",
            client_id=client_id,
            client_secret=secret,
            server_metadata_url=f"{issuer}/.well-known/openid-configuration",
            client_auth_methods=[("private_key_jwt", self.proof)],
            client_kwargs={"scope": SCOPE, "code_challenge_method": "S256", **self.auth},
            compliance_fix=lambda session: session.register_compliance_hook("access_token_response", self.or_handed),
        )
        self.session = OAuth2Session(client_id, secret, **self.auth)
        self.session.register_client_auth_method(("private_key_jwt", self.proof))
        self.metadata = self.client.load_server_metadata()
        flask.add_url_rule("/login", "login", self.at_login)
        flask.add_url_rule("/callback", "callback", lambda: jsonify(self.client.authorize_access_token()))
        flask.add_url_rule("/logout", "logout", lambda: self.client.logout_redirect(**request.args))
        flask.add_url_rule("/bye", "bye", lambda: jsonify(self.client.validate_logout_response()))
        self.browser = flask.test_client()
        return self.metadata

    def or_handed(self, response):
        """The token response that the test hands, in place of the gateway's."""
        if self.handed:
            response = Response()
            response.status_code, response._content = 200, json.dumps(self.handed).encode()
        return response

    def at_login(self):
        parameters = request.args.to_dict()
        pushed = parameters.pop("pushed", None)
        answer = self.client.authorize_redirect(**parameters)
        return redirect(self.pushed(answer.location)) if pushed else answer

    def pushed(self, url):
        """Authlib has no words of its own for requests that are sent ahead (RFC 9126)."""
        auth = self.session.client_auth(self.auth["token_endpoint_auth_method"])
        form = [(name, value) for name, value in parse_qsl(urlsplit(url).query) if name != "client_id"]
        answer = self.session.post(
            self.metadata["pushed_authorization_request_endpoint"], form, auth=auth, withhold_token=True
        )
        answer.raise_for_status()
        reference = {"client_id": self.client.client_id, "request_uri": answer.json()["request_uri"]}
        return add_params_to_uri(self.metadata["authorization_endpoint"], reference)

    def begin(self, **parameters):
        url = self.browser.get(f"{HOME}/login", query_string=parameters).location
        return {"url": url, "nonce": dict(parse_qsl(urlsplit(url).query)).get("nonce")}

    def callback(self, url, answer=None):
        self.handed = answer
        try:
            tokens = self.browser.get(url).json
        finally:
            self.handed = None
        return {**tokens, "claims": tokens.pop("userinfo")}

    def userinfo(self, access_token, sub):
        claims = self.client.userinfo(token={"access_token": access_token, "token_type": "Bearer"})
        # OpenID Connect Core 5.3.2 leaves this to the caller here.
        if claims["sub"] != sub:
            raise InvalidClaimError("sub")
        return claims

    def refresh(self, refresh_token):
        tokens = self.session.refresh_token(self.metadata["token_endpoint"], refresh_token=refresh_token)
        return {**tokens, "claims": self.client.parse_id_token(tokens, nonce=None)}

    def introspect(self, token):
        return self.session.introspect_token(self.metadata["introspection_endpoint"], token=token).json()

    def revoke(self, token):
        self.session.revoke_token(self.metadata["revocation_endpoint"], token=token).raise_for_status()

    def own(self, **parameters):
        return self.session.fetch_token(
            self.metadata["token_endpoint"], grant_type="client_credentials", **parameters
        )

    def leave(self, **parameters):
        return self.browser.get(f"{HOME}/logout", query_string=parameters).location

    def left(self, url):
        return self.browser.get(url).json

    def keys(self):
        return KeySet.import_key_set(self.client.fetch_jwk_set())

    def accept(self, token, resource, scope=None, role=None):
        """As an API does that gets an access token (RFC 9068 4)."""
        application = self

        class Validator(JWTBearerTokenValidator):
            def get_jwks(self):
                return application.keys()

        validator = Validator(self.issuer, resource)
        claims = validator.authenticate_token(token)
        validator.validate_token(claims, scope, None, roles=role)
        return claims

    def logged_out(self, token):
        """As the app's back door does that gets a logout token (OpenID Connect Back-Channel Logout 2.6)."""
        read = jwt.decode(token, self.keys(), algorithms=self.metadata["id_token_signing_alg_values_supported"])
        if read.header.get("typ") != "logout+jwt" or "nonce" in read.claims:
            raise InvalidClaimError("typ")
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.client.client_id},
            events={"essential": True, "value": {LOGGED_OUT: {}}},
            **{name: {"essential": True} for name in ("iat", "exp", "jti", "sub", "sid")},
        ).validate(read.claims)
        return read.claims


def answer_to(application, command, given):
    try:
        return {"done": getattr(application, command)(**given)}
    except Exception as error:
        return {"refused": f"{error}: {error.__cause__}" if error.__cause__ else str(error)}


def main():
    application = Application()
    for line in sys.stdin:
        given = json.loads(line)
        print(json.dumps(answer_to(application, given.pop("command"), given)), flush=True)


main()
