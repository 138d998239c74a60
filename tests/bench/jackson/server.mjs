// BoxyHQ's Jackson by its library's own interface, behind the least HTTP server that there is: its directory sync (SCIM), and
// its sign-in (OAuth over SAML) where there is an identity provider.
// JACKSON_DATABASE_URL says where it keeps its data, JACKSON_IDP in which file the identity provider's metadata are, and
// JACKSON_REDIRECT_URI where browsers go back to. The first line that it prints says where it listens.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import jackson from '@boxyhq/saml-jackson';

const SCIM_PATH = '/api/scim/v2.0';
const SIGN_IN_PATH = '/api/oauth/';
const SAML_PATH = `${SIGN_IN_PATH}saml`;
const EXTERNAL_URL = 'http://localhost';
const AUDIENCE = 'https://saml.boxyhq.com';
const quiet = () => {};
const { JACKSON_DATABASE_URL, JACKSON_IDP, JACKSON_REDIRECT_URI } = process.env;

const {
  directorySyncController: directories,
  connectionAPIController: connections,
  oauthController: oauth,
} = await jackson.controllers({
  externalUrl: EXTERNAL_URL,
  samlPath: SAML_PATH,
  samlAudience: AUDIENCE,
  scimPath: SCIM_PATH,
  noAnalytics: true,
  db: { engine: 'sql', type: 'postgres', url: JACKSON_DATABASE_URL },
  openid: JACKSON_IDP ? { jwsAlg: 'RS256', jwtSigningKeys: signingKeys() } : undefined,
  logger: { info: quiet, warn: quiet, error: console.error },
});

function signingKeys() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const base64 = (pem) => Buffer.from(pem).toString('base64');
  return {
    private: base64(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    public: base64(publicKey.export({ type: 'spki', format: 'pem' })),
  };
}

const made = await directories.directories.create({ tenant: 'acme', product: 'bench', name: 'Okta', type: 'okta-scim-v2' });
if (made.error) throw new Error(made.error.message);

const connection = JACKSON_IDP
  ? await connections.createSAMLConnection({
      tenant: 'acme',
      product: 'bench',
      rawMetadata: readFileSync(JACKSON_IDP, 'utf8'),
      defaultRedirectUrl: JACKSON_REDIRECT_URI,
      redirectUrl: JSON.stringify([JACKSON_REDIRECT_URI]),
    })
  : undefined;

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

async function provision(request, url) {
  const [directoryId, resourceType, resourceId] = url.pathname.slice(SCIM_PATH.length + 1).split('/');
  const number = (name) => (url.searchParams.has(name) ? Number(url.searchParams.get(name)) : undefined);
  const text = await read(request);
  const { status, data } = await directories.requests.handle({
    method: request.method,
    body: text ? JSON.parse(text) : undefined,
    directoryId,
    resourceType,
    resourceId,
    apiSecret: request.headers.authorization?.slice('Bearer '.length),
    query: {
      count: number('count'),
      startIndex: number('startIndex'),
      filter: url.searchParams.get('filter') ?? undefined,
    },
  });
  return { status, data: data ?? {} };
}

async function signIn(request, url) {
  const form = async () => Object.fromEntries(new URLSearchParams(await read(request)));
  const redirect = ({ redirect_url, error }) => {
    if (error) throw new Error(error);
    return { status: 302, location: redirect_url };
  };
  const { authorization } = request.headers;
  switch (`${request.method} ${url.pathname.slice(SIGN_IN_PATH.length)}`) {
    case 'GET authorize':
      return redirect(await oauth.authorize(Object.fromEntries(url.searchParams)));
    case 'POST saml':
      return redirect(await oauth.samlResponse(await form()));
    case 'POST token':
      return { status: 200, data: await oauth.token(await form(), authorization) };
    case 'GET userinfo':
      return { status: 200, data: await oauth.userInfo(authorization.slice('Bearer '.length)) };
    default:
      return { status: 404, data: {} };
  }
}

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, EXTERNAL_URL);
  const isSignIn = url.pathname.startsWith(SIGN_IN_PATH);
  let answer;
  try {
    answer = await (isSignIn ? signIn : provision)(request, url);
  } catch (error) {
    answer = { status: error.statusCode ?? 500, data: { detail: error.message } };
  }
  const { status, data, location } = answer;
  const text = data ? JSON.stringify(data) : '';
  response.writeHead(status, {
    'content-type': isSignIn ? 'application/json' : 'application/scim+json',
    'content-length': Buffer.byteLength(text),
    ...(location && { location }),
  });
  response.end(text);
});

server.listen(0, '127.0.0.1', () => {
  const { id, scim } = made.data;
  const signIn = connection && {
    clientId: connection.clientID,
    clientSecret: connection.clientSecret,
    acs: EXTERNAL_URL + SAML_PATH,
    audience: AUDIENCE,
  };
  console.log(JSON.stringify({ port: server.address().port, base: `${SCIM_PATH}/${id}`, secret: scim.secret, signIn }));
});
process.on('SIGTERM', () => process.exit(0));
