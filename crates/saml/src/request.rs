//! Sign-in requests (core 3.4.1).

use crate::idp::{IdentityProvider, hex};
use crate::instant;
use crate::outgoing::{self, Kind, Outgoing};
use crate::sp::ServiceProvider;
use crate::sp_key::{KeyError, SpKey};
use crate::xml;
use samael::metadata::HTTP_POST_BINDING;
use samael::schema::{
    AuthnContextClassRef, AuthnContextComparison, Issuer, NameIdPolicy, RequestedAuthnContext as Requested,
};
use samael::traits::ToXml as _;
use time::OffsetDateTime;
use url::Url;

/// What a connection asks of the identity provider beyond signing the user in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Whether the user must sign in again even with a session at the identity provider.
    pub force_authn: bool,
    /// Whether the identity provider may not show anything to the user.
    pub is_passive: bool,
    /// The kind of NameID that is wanted, as a URI; without one the identity provider's set-up decides.
    pub name_id_format: Option<String>,
    /// How the user must sign in.
    pub authn_context: Option<RequestedAuthnContext>,
}

/// core 3.3.2.2.1
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedAuthnContext {
    /// Class URIs, the best first.
    pub classes: Vec<String>,
    /// How the class that is used must compare to them.
    pub comparison: Comparison,
}

/// core 3.3.2.2.1; only `Exact` can be checked in the answer, because the standard orders no classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// One of them.
    Exact,
    /// As strong as one of them, or stronger.
    Minimum,
    /// Stronger than each of them.
    Better,
    /// As strong as possible without being stronger than one of them.
    Maximum,
}

/// One request for sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthnRequest<'a> {
    /// The request's ID, which the answer repeats as InResponseTo.
    pub id: &'a str,
    /// When it was made.
    pub issue_instant: OffsetDateTime,
    /// What is asked for.
    pub wishes: &'a Wishes,
}

impl AuthnRequest<'_> {
    /// The XML document, without its signature.
    pub fn document(&self, sp: &ServiceProvider, idp: &IdentityProvider) -> Result<String, KeyError> {
        let mut destination = idp.sso.url.clone();
        destination.set_fragment(None);
        self.xml(sp, &destination)
    }

    /// The XML document, written by samael.
    fn xml(&self, sp: &ServiceProvider, destination: &Url) -> Result<String, KeyError> {
        let Wishes { force_authn, is_passive, name_id_format, authn_context } = self.wishes;
        let request = samael::schema::AuthnRequest {
            id: self.id.to_owned(),
            version: "2.0".to_owned(),
            // samael's time type is chrono's, which this crate names nowhere.
            issue_instant: instant::written(self.issue_instant).parse().map_err(|_| KeyError::Message)?,
            destination: Some(destination.to_string()),
            consent: None,
            // samael writes element text as it is, attributes escaped.
            issuer: Some(Issuer { value: Some(xml::escape(&sp.entity_id)), ..Issuer::default() }),
            signature: None,
            subject: None,
            name_id_policy: Some(NameIdPolicy {
                allow_create: Some(true),
                format: name_id_format.clone(),
                ..NameIdPolicy::default()
            }),
            conditions: None,
            requested_authn_context: authn_context.as_ref().map(RequestedAuthnContext::requested),
            // Some identity providers ask for the password again on any ForceAuthn, so `false` is left out.
            force_authn: force_authn.then_some(true),
            is_passive: is_passive.then_some(true),
            assertion_consumer_service_index: None,
            assertion_consumer_service_url: Some(sp.acs_url.clone()),
            protocol_binding: Some(HTTP_POST_BINDING.to_owned()),
            attribute_consuming_service_index: None,
            provider_name: None,
        };
        request.to_string().map_err(|_| KeyError::Message)
    }
}

impl RequestedAuthnContext {
    fn requested(&self) -> Requested {
        let comparison = match self.comparison {
            Comparison::Exact => AuthnContextComparison::Exact,
            Comparison::Minimum => AuthnContextComparison::Minimum,
            Comparison::Better => AuthnContextComparison::Better,
            Comparison::Maximum => AuthnContextComparison::Maximum,
        };
        let classes = self.classes.iter().map(|class| AuthnContextClassRef { value: Some(xml::escape(class)) });
        Requested {
            authn_context_class_refs: Some(classes.collect()),
            authn_context_decl_refs: None,
            comparison: Some(comparison),
        }
    }

    /// Whether the class that the answer names is what was asked for, as far as that can be told.
    pub(crate) fn is_met_by(&self, class: Option<&str>) -> bool {
        match self.comparison {
            Comparison::Exact => class.is_some_and(|class| self.classes.iter().any(|wanted| wanted == class)),
            Comparison::Minimum | Comparison::Better | Comparison::Maximum => class.is_some(),
        }
    }
}

/// The request's document as it leaves, signed, with an opaque value that comes back with the answer.
pub fn send(document: &str, idp: &IdentityProvider, key: &SpKey, relay_state: &str) -> Result<Outgoing, KeyError> {
    outgoing::send(Kind::Request, document, &idp.sso, relay_state, key)
}

/// An ID of 128 random bits that is an XML name (core 1.3.4).
pub fn request_id(random: [u8; 16]) -> String {
    format!("_{}", hex(&random))
}

/// Whether a text looks like one of ours.
pub fn is_request_id(text: &str) -> bool {
    let digits = text.strip_prefix('_').unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
