// BoxyHQ's directory sync (SCIM) by its library's own interface, behind the least HTTP server that there is.
// JACKSON_DATABASE_URL says where it keeps its data; the first line that it prints says where it listens.
import http from 'node:http';
import jackson from '@boxyhq/saml-jackson';

const SCIM_PATH = '/api/scim/v2.0';
const quiet = () => {};

const { directorySyncController: directories } = await jackson.controllers({
  externalUrl: 'http://localhost',
  samlPath: '/api/oauth/saml',
  scimPath: SCIM_PATH,
  noAnalytics: true,
  db: { engine: 'sql', type: 'postgres', url: process.env.JACKSON_DATABASE_URL },
  logger: { info: quiet, warn: quiet, error: console.error },
});

const made = await directories.directories.create({ tenant: 'acme', product: 'bench', name: 'Okta', type: 'okta-scim-v2' });
if (made.error) throw new Error(made.error.message);

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return parts.length ? JSON.parse(Buffer.concat(parts)) : undefined;
}

async function answer(request) {
  const url = new URL(request.url, 'http://localhost');
  const [directoryId, resourceType, resourceId] = url.pathname.slice(SCIM_PATH.length + 1).split('/');
  const number = (name) => (url.searchParams.has(name) ? Number(url.searchParams.get(name)) : undefined);
  return directories.requests.handle({
    method: request.method,
    body: await read(request),
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
}

const server = http.createServer(async (request, response) => {
  let status = 500;
  let text = '';
  try {
    const { status: told, data } = await answer(request);
    status = told;
    text = JSON.stringify(data ?? {});
  } catch (error) {
    text = JSON.stringify({ detail: error.message });
  }
  response.writeHead(status, { 'content-type': 'application/scim+json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
});

server.listen(0, '127.0.0.1', () => {
  const { id, scim } = made.data;
  console.log(JSON.stringify({ port: server.address().port, base: `${SCIM_PATH}/${id}`, secret: scim.secret }));
});
process.on('SIGTERM', () => process.exit(0));
