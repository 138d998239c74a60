//! The identity provider's key and certificate: made at the first start, kept in a folder.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use bergshamra_dsig::{DsigContext, sign};
use bergshamra_keys::{Key, KeysManager, loader};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, SerialNumber};
use time::{Duration, OffsetDateTime};

use super::signed_query::RSA_SHA256;

const KEY_FILE: &str = "idp-key.pem";
const CERTIFICATE_FILE: &str = "idp-certificate.pem";
const YEARS: i64 = 10;
const NAME: &str = "Gatehouse simulator";

/// Behind the heads of two sequences and the version.
const SERIAL_NUMBER_AT: usize = 13;
const INTEGER: u8 = 2;

/// An RSA key of 2048 bits with its self-signed certificate.
#[derive(Clone)]
pub struct IdpKey {
    key: Key,
    certificate_pem: String,
}

impl IdpKey {
    /// Makes a key that is kept nowhere.
    pub fn generate(now: OffsetDateTime) -> anyhow::Result<Self> {
        let (key_pem, certificate_pem) = generate(now, NAME, None)?;
        Self::from_pem(&key_pem, certificate_pem)
    }

    /// Makes a key whose certificate has the names and the serial number of another's.
    pub fn imitating(other: &Self, now: OffsetDateTime) -> anyhow::Result<Self> {
        let (key_pem, certificate_pem) = generate(now, NAME, Some(other.serial_number()?))?;
        Self::from_pem(&key_pem, certificate_pem)
    }

    /// Makes a key whose certificate says that it is somebody's.
    pub fn named(common_name: &str, now: OffsetDateTime) -> anyhow::Result<Self> {
        let (key_pem, certificate_pem) = generate(now, common_name, None)?;
        Self::from_pem(&key_pem, certificate_pem)
    }

    /// Reads the key of an earlier run, or makes one.
    pub fn load_or_generate(folder: &Path, now: OffsetDateTime) -> anyhow::Result<Self> {
        let key_path = folder.join(KEY_FILE);
        let certificate_path = folder.join(CERTIFICATE_FILE);
        if !key_path.exists() || !certificate_path.exists() {
            std::fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
            let (key_pem, certificate_pem) = generate(now, NAME, None)?;
            write_private(&key_path, &key_pem)?;
            std::fs::write(&certificate_path, certificate_pem)
                .with_context(|| format!("could not write {}", certificate_path.display()))?;
        }
        let read =
            |path: &Path| std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()));
        Self::from_pem(&read(&key_path)?, read(&certificate_path)?)
    }

    fn from_pem(key_pem: &str, certificate_pem: String) -> anyhow::Result<Self> {
        let key = loader::load_rsa_private_pem(key_pem.as_bytes())
            .map_err(|error| anyhow!("the identity provider's key cannot be read: {error}"))?;
        Ok(Self { key, certificate_pem })
    }

    /// The certificate, as an admin downloads it from the identity provider.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The certificate in base64 without frame and line breaks, as it stands in metadata.
    pub fn certificate_base64(&self) -> String {
        self.certificate_pem.lines().filter(|line| !line.starts_with("-----")).collect()
    }

    /// The certificate's bytes.
    pub fn certificate_der(&self) -> anyhow::Result<Vec<u8>> {
        STANDARD.decode(self.certificate_base64()).context("the certificate is not base64")
    }

    /// RFC 5280 4.1.2.2: it follows the version, which every certificate of ours has.
    fn serial_number(&self) -> anyhow::Result<Vec<u8>> {
        let der = self.certificate_der()?;
        let (_, number) = der.split_at_checked(SERIAL_NUMBER_AT).context("the certificate is too short")?;
        let [INTEGER, length, number @ ..] = number else { bail!("the certificate has no serial number") };
        Ok(number.get(..usize::from(*length)).context("the serial number is cut off")?.to_vec())
    }

    /// An RSA-SHA256 signature over these bytes.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
        let key = self.key.to_signing_key().map_err(|error| anyhow!("the key cannot sign: {error}"))?;
        let algorithm = bergshamra_crypto::sign::from_uri(RSA_SHA256).map_err(|error| anyhow!("{error}"))?;
        let key = key.context("the key cannot sign")?;
        algorithm.sign(&key, bytes).map_err(|error| anyhow!("could not sign: {error}"))
    }

    /// Fills the first signature template of the document.
    pub(crate) fn sign(&self, template: String) -> anyhow::Result<String> {
        let mut keys = KeysManager::new();
        keys.add_key(self.key.clone());
        sign::sign_owned(&DsigContext::new(keys), template).map_err(|error| anyhow!("could not sign: {error}"))
    }
}

/// Fills the first signature template with an HMAC under this secret.
pub(crate) fn sign_by_secret(secret: &[u8], template: String) -> anyhow::Result<String> {
    let mut keys = KeysManager::new();
    keys.add_key(loader::load_hmac_key(secret).map_err(|error| anyhow!("the secret: {error}"))?);
    sign::sign_owned(&DsigContext::new(keys), template).map_err(|error| anyhow!("could not sign: {error}"))
}

fn generate(
    now: OffsetDateTime,
    common_name: &str,
    serial_number: Option<Vec<u8>>,
) -> anyhow::Result<(String, String)> {
    let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).context("could not make an RSA key")?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.serial_number = serial_number.map(SerialNumber::from);
    params.not_before = now - Duration::DAY;
    params.not_after = now + Duration::days(365 * YEARS);
    let certificate = params.self_signed(&pair).context("could not sign the certificate")?;
    Ok((pair.serialize_pem(), certificate.pem()))
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("could not write {}", path.display()))
}
