// verify.mjs FOLDER: how many milliseconds node-saml takes for each of the responses in the folder, as a line of JSON.
import { readFileSync } from 'node:fs'
import { SAML, ValidateInResponseTo } from '@node-saml/node-saml'

const folder = process.argv[2]
const read = name => readFileSync(`${folder}/${name}`, 'utf8')
const { entity_id: entityId, acs_url: callbackUrl, seconds } = JSON.parse(read('case.json'))

const saml = new SAML({
  callbackUrl,
  entryPoint: 'https://idp.test/sso',
  issuer: entityId,
  audience: entityId,
  idpCert: read('idp.pem'),
  decryptionPvk: read('sp-key.pem'),
  wantAuthnResponseSigned: false,
  validateInResponseTo: ValidateInResponseTo.never,
  acceptedClockSkewMs: 180000,
})

const told = { version: JSON.parse(readFileSync('node_modules/@node-saml/node-saml/package.json')).version }
for (const name of ['signed', 'both', 'encrypted']) {
  const SAMLResponse = Buffer.from(read(`${name}.xml`)).toString('base64')
  const once = async () => {
    const { profile } = await saml.validatePostResponseAsync({ SAMLResponse })
    if (!profile.nameID.startsWith('ann@')) throw new Error(`${name}: ${profile.nameID}`)
  }
  for (let begin = Date.now(); Date.now() - begin < 500; ) await once()
  let count = 0
  const begin = process.hrtime.bigint()
  let took = 0
  do {
    await once()
    count += 1
    took = Number(process.hrtime.bigint() - begin) / 1e6
  } while (took < seconds * 1000)
  told[name] = took / count
}
console.log(JSON.stringify(told))
