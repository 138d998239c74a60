"""An identity provider made of pysaml2, with one user, for the tests: python pysaml2_idp.py FOLDER, in which lie
idp-key.pem, idp-certificate.pem and the service provider's sp.xml. It prints the port it listens on."""

import pathlib
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.authn_context import PASSWORDPROTECTEDTRANSPORT
from saml2.config import IdPConfig
from saml2.saml import NAMEID_FORMAT_EMAILADDRESS, NameID
from saml2.server import Server
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

FOLDER = pathlib.Path(sys.argv[1])
HOLD = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
BASE = f"http://127.0.0.1:{HOLD.server_port}"


def server():
    config = IdPConfig()
    config.load(
        {
            "entityid": f"{BASE}/metadata",
            "key_file": str(FOLDER / "idp-key.pem"),
            "cert_file": str(FOLDER / "idp-certificate.pem"),
            "xmlsec_binary": "/usr/bin/xmlsec1",
            "metadata": {"local": [str(FOLDER / "sp.xml")]},
            "service": {
                "idp": {
                    "endpoints": {
                        "single_sign_on_service": [
                            (f"{BASE}/sso", BINDING_HTTP_REDIRECT),
                            (f"{BASE}/sso", BINDING_HTTP_POST),
                        ],
                        "single_logout_service": [
                            (f"{BASE}/slo", BINDING_HTTP_REDIRECT),
                            (f"{BASE}/slo", BINDING_HTTP_POST),
                        ],
                    },
                    "want_authn_requests_signed": True,
                    "policy": {"default": {"lifetime": {"minutes": 5}, "attribute_restrictions": None}},
                    "subject_data": str(pathlib.Path(tempfile.mkdtemp()) / "subjects"),
                }
            },
        }
    )
    return Server(config=config)


IDP = server()


def name(user):
    return NameID(format=NAMEID_FORMAT_EMAILADDRESS, text=user)


def signed_response(query, entity_id, consumer, request_id):
    return IDP.create_authn_response(
        {"mail": [query["user"]], "givenName": ["Sue"], "sn": ["Summers"]},
        in_response_to=request_id,
        destination=consumer,
        sp_entity_id=entity_id,
        name_id=name(query["user"]),
        authn={"class_ref": PASSWORDPROTECTEDTRANSPORT, "authn_auth": BASE},
        sign_response="response" in query["sign"],
        sign_assertion="assertion" in query["sign"],
        sign_alg=SIG_RSA_SHA256,
        digest_alg=DIGEST_SHA256,
    )


def proof(binding, form):
    """What the signature of a query is about; that of a form stands in the message."""
    if binding == BINDING_HTTP_POST:
        return {}
    return {"relay_state": form.get("RelayState"), "sigalg": form.get("SigAlg"), "signature": form.get("Signature")}


def consumer_of(entity_id):
    return IDP.metadata.assertion_consumer_service(entity_id, BINDING_HTTP_POST)[0]["location"]


class Handler(BaseHTTPRequestHandler):
    # What the next answers are about, and what of them is signed.
    query = {"user": "", "sign": "response assertion"}

    def do_GET(self):
        self.answer(BINDING_HTTP_REDIRECT, urlsplit(self.path).query)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.answer(BINDING_HTTP_POST, self.rfile.read(length).decode())

    def answer(self, binding, text):
        form = {key: values[0] for key, values in parse_qs(text, keep_blank_values=True).items()}
        try:
            getattr(self, urlsplit(self.path).path.strip("/"))(binding, form)
        except Exception as error:  # told to the test, which fails of it
            self.say(500, f"{type(error).__name__}: {error}")

    def metadata(self, _binding, _form):
        from saml2.metadata import entity_descriptor

        self.say(200, str(entity_descriptor(IDP.config)))

    def set(self, _binding, form):
        Handler.query.update(form)
        self.say(200, "set")

    def sso(self, binding, form):
        request = IDP.parse_authn_request(form["SAMLRequest"], binding, **proof(binding, form))
        message = request.message
        consumer = message.assertion_consumer_service_url
        if consumer != consumer_of(message.issuer.text):
            raise ValueError(f"{consumer} is not in the metadata")
        response = signed_response(Handler.query, message.issuer.text, consumer, message.id)
        self.post(consumer, response, form.get("RelayState"))

    def tile(self, _binding, form):
        consumer = consumer_of(form["sp"])
        self.post(consumer, signed_response(Handler.query, form["sp"], consumer, None), form.get("state"))

    def slo(self, binding, form):
        if "SAMLResponse" in form:
            answer = IDP.parse_logout_request_response(form["SAMLResponse"], binding)
            return self.say(200, f"signed out: {answer.response.in_response_to}")
        request = IDP.parse_logout_request(form["SAMLRequest"], binding, **proof(binding, form))
        message = request.message
        if message.name_id.text != Handler.query["user"]:
            raise ValueError(f"nobody is called {message.name_id.text}")
        response = IDP.create_logout_response(message, [binding], sign=False)
        location = IDP.response_args(message, [binding])["destination"]
        self.go(IDP.apply_binding(binding, str(response), location, form.get("RelayState"), response=True, sign=True, sigalg=SIG_RSA_SHA256))

    def leave(self, _binding, form):
        """Signs the user out from here."""
        location = IDP.metadata.single_logout_service(form["sp"], BINDING_HTTP_REDIRECT, "spsso")[0]["location"]
        request_id, request = IDP.create_logout_request(
            location, form["sp"], name_id=name(Handler.query["user"]), sign=False
        )
        self.go(IDP.apply_binding(BINDING_HTTP_REDIRECT, str(request), location, request_id, sign=True, sigalg=SIG_RSA_SHA256))

    def post(self, consumer, response, relay_state):
        arguments = IDP.apply_binding(BINDING_HTTP_POST, str(response), consumer, relay_state or "", response=True)
        self.say(200, arguments["data"])

    def go(self, arguments):
        location = dict(arguments["headers"]).get("Location")
        if location is None:
            return self.say(200, arguments["data"])
        self.send_response(303)
        self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def say(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


HOLD.RequestHandlerClass = Handler
print(f"pysaml2 listens on {BASE}/", flush=True)
HOLD.serve_forever()
