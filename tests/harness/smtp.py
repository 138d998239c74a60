"""A mail server (aiosmtpd) that keeps what it takes, a file for each mail. What it says depends on the name in front of the @.

smtp.py FOLDER [CERTIFICATE KEY]: with a certificate it takes mail only by STARTTLS, from who knows the password. It prints its port,
and ends with its standard input. Files in the folder: `mended` has it refuse nobody any more, `mute` keeps it from saying that it
took a mail.
"""

import asyncio, json, os, ssl, sys, time

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

folder = sys.argv[1]
REFUSALS = {
    "gone": "550 5.1.1 No such mailbox here",
    "relay": "550 5.7.1 Relaying denied",
    "busy": "451 4.3.0 Try again later",
}


def is_told(name):
    return os.path.exists(os.path.join(folder, name))


class Keeper:
    kept = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = REFUSALS.get(address.split("@")[0])
        if refusal and not is_told("mended"):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.kept += 1
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": envelope.content.decode("utf-8"),
            "is_encrypted": session.ssl is not None,
            "is_authenticated": session.authenticated,
        }
        name = os.path.join(folder, f"{time.time_ns()}-{self.kept:06}.json")
        with open(name + ".new", "w") as file:
            json.dump(mail, file)
        os.rename(name + ".new", name)
        while is_told("mute"):
            await asyncio.sleep(0.01)
        return "250 Taken"


def authenticate(server, session, envelope, mechanism, data):
    is_known = isinstance(data, LoginPassword) and data.login == b"gatehouse" and data.password == b"p@ss:word/1"
    return AuthResult(success=is_known)


def session():
    if len(sys.argv) < 4:
        return SMTP(keeper)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*sys.argv[2:4])
    return SMTP(keeper, tls_context=context, require_starttls=True, authenticator=authenticate, auth_required=True)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


keeper = Keeper()
asyncio.run(main())
