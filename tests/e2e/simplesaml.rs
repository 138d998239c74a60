//! SimpleSAMLphp from Debian as an identity provider, with a configuration of the test's own and one user.

use crate::process::{Folder, Program};
use simulator::idp::keys::IdpKey;
use std::{
    path::Path,
    process::{Command, Stdio},
};
use time::OffsetDateTime;

const SOURCES: &str = "/usr/share/simplesamlphp/www";
pub const PASSWORD: &str = "correct horse";

/// What the identity provider signs.
#[derive(Debug, Clone, Copy)]
pub enum Signs {
    Assertion,
    Response,
    Both,
}

/// A running SimpleSAMLphp.
pub struct SimpleSaml {
    pub base_url: String,
    program: Program,
    folder: Folder,
}

impl SimpleSaml {
    /// Starts one that knows a user of this name and e-mail address.
    pub fn start(signs: Signs, user: &str, email: &str, role: &str) -> Self {
        assert!(
            Path::new(SOURCES).is_dir(),
            "SimpleSAMLphp is not installed. Run bin/setup test, or apt-get install simplesamlphp php-cli php-xml."
        );
        let folder = Folder::new();
        let mut command = Command::new("php");
        command.args(["-S", "127.0.0.1:0", "-t", SOURCES]).env("SIMPLESAMLPHP_CONFIG_DIR", folder.folder("config"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let program = Program::start(command, "php-cli", |child| Box::new(child.stderr.take().expect("is piped")));
        let base_url = format!("http://127.0.0.1:{}/", program.port("(http://127.0.0.1:", ")"));
        let server = Self { base_url, program, folder };
        // Read at each request, so it is not too late to write it.
        server.write("config/config.php", &server.config());
        server.write("config/authsources.php", &users(user, email, role));
        server.folder.folder("sessions");
        server.folder.folder("metadata");
        server.write("metadata/saml20-idp-hosted.php", &hosted(signs));
        server.make_key();
        server
    }

    /// Makes a key, in place of an older one.
    pub fn make_key(&self) {
        let folder = self.folder.folder("certificates");
        for old in std::fs::read_dir(&folder).unwrap() {
            std::fs::remove_file(old.unwrap().path()).unwrap();
        }
        IdpKey::load_or_generate(&folder, OffsetDateTime::now_utc()).unwrap();
    }

    /// Where its metadata are.
    pub fn metadata_url(&self) -> String {
        format!("{}saml2/idp/metadata.php", self.base_url)
    }

    /// Its metadata, as an IT admin downloads them.
    pub async fn metadata(&self) -> String {
        let answer = reqwest::get(self.metadata_url()).await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "SimpleSAMLphp has no metadata: {text} {}", self.program.words());
        text
    }

    /// Trusts a service provider, from metadata that it reads itself; only what it signs stays its own choice.
    pub fn trust(&self, metadata: &str) {
        self.write("metadata/sp.xml", metadata);
        self.set_up("");
    }

    /// The same service provider with settings of SimpleSAMLphp's, as PHP: `'assertion.encryption' => true`.
    pub fn set_up(&self, settings: &str) {
        let settings = format!("$metadata[$read['entityid']] = [{settings}] + $read;\n");
        self.write("metadata/saml20-sp-remote.php", &format!("{SERVICE_PROVIDER}{settings}"));
    }

    /// Where somebody begins at the identity provider.
    pub fn tile(&self, entity_id: &str, relay_state: &str) -> String {
        let page = format!("{}saml2/idp/SSOService.php", self.base_url);
        let parameters = [("spentityid", entity_id), ("RelayState", relay_state)];
        url::Url::parse_with_params(&page, parameters).unwrap().into()
    }

    /// Where somebody signs out at the identity provider.
    pub fn sign_out(&self) -> String {
        let page = format!("{}saml2/idp/initSLO.php", self.base_url);
        url::Url::parse_with_params(&page, [("RelayState", &self.base_url)]).unwrap().into()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn config(&self) -> String {
        CONFIG.replace("FOLDER", &self.folder.path().display().to_string()).replace("BASE_URL", &self.base_url)
    }
}

const CONFIG: &str = "<?php
$config = [
  'baseurlpath' => 'BASE_URL',
  'certdir' => 'FOLDER/certificates/',
  'metadatadir' => 'FOLDER/metadata/',
  'loggingdir' => 'FOLDER/',
  'datadir' => 'FOLDER/',
  'tempdir' => 'FOLDER/',
  'attributenamemapdir' => '/usr/share/simplesamlphp/config/attributemap/',
  'secretsalt' => 'a salt of the tests',
  'auth.adminpassword' => 'nobody needs this one',
  'admin.checkforupdates' => false,
  'timezone' => 'UTC',
  'showerrors' => true,
  'errorreporting' => false,
  'debug' => ['saml' => false, 'backtraces' => true, 'validatexml' => false],
  'logging.level' => SimpleSAML\\Logger::NOTICE,
  'logging.handler' => 'errorlog',
  'enable.saml20-idp' => true,
  'module.enable' => ['core' => true, 'saml' => true, 'exampleauth' => true],
  'session.cookie.secure' => false,
  'session.cookie.samesite' => null,
  'language.cookie.secure' => false,
  'language.cookie.samesite' => null,
  'session.phpsession.savepath' => 'FOLDER/sessions',
  'store.type' => 'phpsession',
  'metadata.sources' => [['type' => 'flatfile']],
];
";

fn users(user: &str, email: &str, role: &str) -> String {
    format!(
        "<?php
$config = ['people' => [
  'exampleauth:UserPass',
  '{user}:{PASSWORD}' => ['uid' => ['{user}'], 'email' => ['{email}'], 'role' => ['{role}']],
]];
"
    )
}

fn hosted(signs: Signs) -> String {
    let (assertion, response) = match signs {
        Signs::Assertion => (true, false),
        Signs::Response => (false, true),
        Signs::Both => (true, true),
    };
    let email = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
    format!(
        "<?php
$metadata['__DYNAMIC:1__'] = [
  'host' => '__DEFAULT__',
  'privatekey' => 'idp-key.pem',
  'certificate' => 'idp-certificate.pem',
  'auth' => 'people',
  'validate.authnrequest' => true,
  'validate.logout' => true,
  'sign.logout' => true,
  'SingleLogoutServiceBinding' => ['urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect', 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST'],
  'saml20.sign.assertion' => {assertion},
  'saml20.sign.response' => {response},
  'NameIDFormat' => '{email}',
  'authproc' => [1 => ['class' => 'saml:AttributeNameID', 'attribute' => 'email', 'Format' => '{email}']],
];
"
    )
}

/// Our metadata say that we want signed assertions; an identity provider that signs the response alone ignores that.
const SERVICE_PROVIDER: &str = "<?php
$read = SimpleSAML\\Metadata\\SAMLParser::parseFile(__DIR__ . '/sp.xml')->getMetadata20SP();
if ($read['validate.authnrequest'] !== true) {
  throw new Exception('The metadata do not say that requests are signed.');
}
unset($read['saml20.sign.assertion']);
";
