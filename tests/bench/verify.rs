//! One response verified and read, on one processor: by us, by Debian's xmlsec1, and by node-saml, each on the same files.

use base64::{Engine, engine::general_purpose::STANDARD};
use saml::{
    decryption::DecryptionKey,
    idp::IdentityProvider,
    outgoing::Binding,
    response::{Expected, verify},
    sp::ServiceProvider,
    sp_key::{KeyAlgorithm, SpKey},
};
use serde_json::{Value, json};
use simulator::idp::{
    keys::IdpKey,
    response::{ResponseBuilder, Sign},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};
use time::{Duration, OffsetDateTime};

/// How long each of them verifies, and how often in turn; the best counts.
const SECONDS: f64 = 1.0;
const ROUNDS: usize = 3;

/// How often xmlsec1 verifies in one run, which spares it the start of a program for each.
const REPEATED: u32 = 2_000;

const KINDS: [&str; 3] = ["signed", "both", "encrypted"];
const ISSUER: &str = "https://idp.test/metadata";
const ENTITY_ID: &str = "https://sso.test/c/1";
const ACS_URL: &str = "https://sso.test/c/1/saml/acs";

/// What everybody verifies.
struct Files {
    folder: PathBuf,
    documents: [String; 3],
    idp_key: IdpKey,
    sp_key: SpKey,
    now: OffsetDateTime,
}

/// Measures all three and prints a table; answers our milliseconds for what is signed once.
pub fn measure(state: &Path) -> f64 {
    let files = Files::new(&state.join("verify"));
    println!(
        "\n| verified and read | Gatehouse (ms) | with stored keys (ms) | xmlsec1 (ms) | node-saml (ms) |\n|---|---:|---:|---:|---:|"
    );
    let nobody = || [f64::NAN; 3];
    let (mut ours, mut stored, mut xmlsec1, mut node) = (nobody(), nobody(), nobody(), nobody());
    let better = |best: &mut [f64; 3], round: [f64; 3]| {
        best.iter_mut().zip(round).for_each(|(best, took)| *best = best.min(took))
    };
    for _ in 0..ROUNDS {
        better(&mut ours, [0, 1, 2].map(|kind| files.verified(kind, false)));
        better(&mut stored, [0, 1, 2].map(|kind| files.verified(kind, true)));
        better(&mut xmlsec1, files.by_xmlsec1());
        better(&mut node, files.by_node().unwrap_or_else(nobody));
    }
    for (index, kind) in KINDS.iter().enumerate() {
        println!("| {kind} | {:.3} | {:.3} | {:.3} | {:.3} |", ours[index], stored[index], xmlsec1[index], node[index]);
    }
    ours[0]
}

impl Files {
    fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let now = OffsetDateTime::now_utc();
        let idp_key = IdpKey::generate(now).unwrap();
        let sp_key =
            SpKey::generate(KeyAlgorithm::Rsa3072, "Gatehouse", now - Duration::DAY, now + Duration::DAY).unwrap();
        let plain = ResponseBuilder::new(ISSUER, ENTITY_ID, ACS_URL, "ann@acme.test", now)
            .in_response_to("_00000000000000000000000000000001")
            .attribute("email", "ann@acme.test")
            .attribute("firstName", "Ann")
            .attribute("lastName", "Archer")
            .attribute_values("groups", &["Everyone", "Engineering", "Administrators"]);
        let documents = [
            plain.clone().sign(Sign::Assertion),
            plain.clone().sign(Sign::Both),
            plain.sign(Sign::Assertion).encrypt_for(sp_key.certificate_der()),
        ]
        .map(|response| response.xml(&idp_key).unwrap());
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        KINDS.iter().zip(&documents).for_each(|(kind, document)| write(&format!("{kind}.xml"), document));
        write("idp.pem", idp_key.certificate_pem());
        let key = STANDARD.encode(sp_key.pkcs8_der());
        write("sp-key.pem", &format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", wrapped(&key)));
        write("case.json", &json!({ "entity_id": ENTITY_ID, "acs_url": ACS_URL, "seconds": SECONDS }).to_string());
        Self { folder: folder.to_owned(), documents, idp_key, sp_key, now }
    }

    /// Milliseconds of one; `stored` also reads the certificate and the key for each, as the gateway does.
    fn verified(&self, kind: usize, stored: bool) -> f64 {
        let field = STANDARD.encode(&self.documents[kind]);
        let sp = ServiceProvider {
            entity_id: ENTITY_ID.to_owned(),
            acs_url: ACS_URL.to_owned(),
            slo_url: "https://sso.test/c/1/saml/slo".to_owned(),
        };
        let certificate = self.idp_key.certificate_der().unwrap();
        let trusted = || {
            let sso = ("https://idp.test/sso", Binding::Redirect);
            let provider = IdentityProvider::from_parts(ISSUER, sso, std::slice::from_ref(&certificate)).unwrap();
            (provider, [DecryptionKey::from_pkcs8(self.sp_key.pkcs8_der().to_vec())])
        };
        let once = |(idp, keys): &(IdentityProvider, [DecryptionKey; 1])| {
            let skew = Duration::minutes(3);
            let expected = Expected { sp: &sp, idp, now: self.now, skew, allow_sha1: false, decryption_keys: keys };
            assert_eq!(verify(&field, &expected).unwrap().name_id().value, "ann@acme.test");
        };
        let known = trusted();
        let (begin, mut count) = (Instant::now(), 0);
        while begin.elapsed().as_secs_f64() < SECONDS {
            if stored {
                once(&trusted())
            } else {
                once(&known)
            }
            count += 1;
        }
        begin.elapsed().as_secs_f64() * 1e3 / f64::from(count)
    }

    /// Both signatures of the second kind are asked for one after the other, and the third is decrypted, and then verified.
    fn by_xmlsec1(&self) -> [f64; 3] {
        let assertion = "//*[local-name()='Assertion']/*[local-name()='Signature']";
        let response = "/*/*[local-name()='Signature']";
        let signed = self.xmlsec1(&["--verify", "--node-xpath", assertion], "signed.xml", "idp.pem");
        let both =
            [assertion, response].map(|path| self.xmlsec1(&["--verify", "--node-xpath", path], "both.xml", "idp.pem"));
        let decrypted = self.folder.join("decrypted.xml");
        let decrypt = ["--decrypt", "--privkey-pem", "sp-key.pem"];
        let output =
            self.command(&[&decrypt[..], &["--output", "decrypted.xml", "encrypted.xml"]].concat()).output().unwrap();
        assert!(output.status.success() && decrypted.exists(), "{}", String::from_utf8_lossy(&output.stderr));
        let opened = self.xmlsec1(&decrypt, "encrypted.xml", "");
        let verified = self.xmlsec1(&["--verify", "--node-xpath", assertion], "decrypted.xml", "idp.pem");
        [signed, both.iter().sum(), opened + verified]
    }

    fn xmlsec1(&self, arguments: &[&str], document: &str, certificate: &str) -> f64 {
        let run = |times: u32| {
            let times = times.to_string();
            let trusted = ["--pubkey-cert-pem", certificate];
            let trusted = if certificate.is_empty() { &[][..] } else { &trusted[..] };
            let all = [arguments, trusted, &["--repeat", &times, document]].concat();
            let begin = Instant::now();
            let output = self.command(&all).output().unwrap();
            assert!(output.status.success(), "{all:?}: {}", String::from_utf8_lossy(&output.stderr));
            begin.elapsed().as_secs_f64() * 1e3
        };
        // Without what the program takes to start and to read the files.
        (run(REPEATED + 1) - run(1)) / f64::from(REPEATED)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("xmlsec1");
        command.current_dir(&self.folder).arg(arguments[0]);
        for name in ["protocol:Response", "assertion:Assertion"] {
            command.args(["--id-attr:ID", &format!("urn:oasis:names:tc:SAML:2.0:{name}")]);
        }
        command.args(&arguments[1..]);
        command
    }

    /// None without node.
    fn by_node(&self) -> Option<[f64; 3]> {
        let folder = env::var("NODE_SAML_FOLDER").ok()?;
        let output = Command::new("node").arg("verify.mjs").arg(&self.folder).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        Some(KINDS.map(|kind| told[kind].as_f64().unwrap()))
    }
}

fn wrapped(base64: &str) -> String {
    let lines = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap());
    lines.collect::<Vec<_>>().join("\n")
}
