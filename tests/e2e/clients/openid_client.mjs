// An application made of openid-client, for the tests. Each line of standard input is a command in JSON, answered by a line:
// {"done": …}, or {"refused": "…"} with the words of the library, or the gateway's error code.
import { webcrypto } from 'node:crypto'
import { createInterface } from 'node:readline'
import * as oidc from 'openid-client'

// Node 18 keeps them behind a flag.
globalThis.crypto ??= webcrypto
globalThis.CryptoKey ??= webcrypto.CryptoKey

const KINDS = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
}

// The client, its private key, what the running sign-in expects, and the token response that the test hands in place of
// the gateway's next one.
let config, key, expected, handed

const METHODS = {
  client_secret_basic: oidc.ClientSecretBasic,
  client_secret_post: oidc.ClientSecretPost,
  private_key_jwt: () => oidc.PrivateKeyJwt(key),
}

async function fetchOrTakeHanded(url, options) {
  if (!handed || url !== config.serverMetadata().token_endpoint) return fetch(url, options)
  const response = new Response(JSON.stringify(handed), { headers: { 'content-type': 'application/json' } })
  handed = undefined
  return response
}

const withClaims = tokens => ({ ...tokens, claims: tokens.claims() })

const commands = {
  async key({ alg }) {
    const pair = await crypto.subtle.generateKey(KINDS[alg], true, ['sign', 'verify'])
    key = { key: pair.privateKey, kid: `${alg}-key` }
    const { key_ops, ext, ...jwk } = await crypto.subtle.exportKey('jwk', pair.publicKey)
    return { keys: [{ ...jwk, alg, kid: key.kid }] }
  },
  async discover({ issuer, client_id, method, secret, alg }) {
    const metadata = { id_token_signed_response_alg: alg }
    config = await oidc.discovery(new URL(issuer), client_id, metadata, METHODS[method](secret), {
      // The second has it look at the signature of an ID token even if it came straight from the gateway.
      execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks],
    })
    config[oidc.customFetch] = fetchOrTakeHanded
    return config.serverMetadata()
  },
  async begin({ pushed, ...parameters }) {
    const verifier = oidc.randomPKCECodeVerifier()
    const [state, nonce] = [oidc.randomState(), oidc.randomNonce()]
    expected = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true }
    const code_challenge = await oidc.calculatePKCECodeChallenge(verifier)
    const build = pushed ? oidc.buildAuthorizationUrlWithPAR : oidc.buildAuthorizationUrl
    const url = await build(config, { ...parameters, state, nonce, code_challenge, code_challenge_method: 'S256' })
    return { url: url.href, nonce }
  },
  async callback({ url, answer }) {
    handed = answer
    return withClaims(await oidc.authorizationCodeGrant(config, new URL(url), expected))
  },
  userinfo: ({ access_token, sub }) => oidc.fetchUserInfo(config, access_token, sub),
  refresh: async ({ refresh_token }) => withClaims(await oidc.refreshTokenGrant(config, refresh_token)),
  introspect: ({ token }) => oidc.tokenIntrospection(config, token),
  revoke: ({ token }) => oidc.tokenRevocation(config, token),
  own: parameters => oidc.clientCredentialsGrant(config, parameters),
  leave: parameters => oidc.buildEndSessionUrl(config, parameters).href,
}

function words(error) {
  if (error.error) return error.error
  return error.cause instanceof Error ? `${error.message}: ${words(error.cause)}` : error.message
}

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line)
  let answer
  try {
    answer = { done: (await commands[command](given)) ?? null }
  } catch (error) {
    answer = { refused: words(error) }
  }
  console.log(JSON.stringify(answer))
}
