//! Sentences that several codes share.

pub(super) const UNREADABLE: &str = "Your company's sign-in service sent an answer that could not be read.";
pub(super) const UNTRUSTED: &str = "The answer of your company's sign-in service could not be verified.";
pub(super) const SETUP: &str =
    "The connection between your company's sign-in service and this application is not set up correctly.";
pub(super) const ENCRYPTED: &str = "Your company's sign-in service sent an encrypted answer that could not be opened.";
pub(super) const IDENTITY: &str = "Your company's sign-in service did not say clearly who you are.";
pub(super) const DENIED: &str = "Your company's sign-in service did not let you in.";
pub(super) const LATE: &str = "This sign-in took too long; please start again.";
pub(super) const CLOCK: &str = "The clock of your company's sign-in service does not agree with ours.";
pub(super) const AGAIN: &str = "This sign-in cannot be completed; please start again.";
pub(super) const START_HERE: &str = "Please start signing in from the application itself.";
pub(super) const UNASSIGNED: &str = "You have not been assigned to this application.";
pub(super) const DEACTIVATED: &str = "Your account for this application is deactivated.";
pub(super) const CONTEXT: &str = "This application asks for a stronger way of signing in.";
pub(super) const LOGOUT: &str = "Signing out could not be completed with your company's sign-in service.";
pub(super) const BUSY: &str = "There were too many attempts; please try again in a moment.";

pub(super) const REPORT: &str = "No common identity provider sends this. Send the reference number to support \
    together with the name and version of the identity provider.";
pub(super) const FORGED: &str = "No honest identity provider sends this: treat it as an attack and tell your \
    security team. If you can repeat it with your own account, send the reference number to support.";
pub(super) const RENEW: &str = "The identity provider signs with a certificate that this connection does not have. \
    Upload its current signing certificate or metadata (Okta: \"SAML Signing Certificates\"; Entra: \"SAML \
    Certificates\").";
pub(super) const ISSUER: &str = "Set the issuer of this connection to the identity provider's entity ID (Okta: \
    \"Identity Provider Issuer\"; Entra: \"Microsoft Entra Identifier\"), or upload its metadata again.";
pub(super) const ACS: &str = "Copy the ACS URL of this connection, to the letter, into \"Single sign-on URL\" in \
    Okta and tick \"Use this for Recipient URL and Destination URL\"; in Entra into \"Reply URL (Assertion Consumer \
    Service URL)\".";
pub(super) const AUDIENCE: &str = "Copy the entity ID of this connection, to the letter, into \"Audience URI (SP \
    Entity ID)\" in Okta; in Entra into \"Identifier (Entity ID)\".";
pub(super) const TIME: &str = "Check the identity provider's clock (time synchronization); answers are accepted for \
    five minutes, and as long again as the connection lets clocks differ (three minutes, if nothing else is set).";
pub(super) const START: &str =
    "Start again from the application, not from a bookmark of the identity provider or with the browser's back button.";
