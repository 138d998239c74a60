//! Reads an identity provider's metadata with samael's types, after the same look at bytes and structure that a
//! response gets. Its signature is not verified: the IT admin who pastes it is the one who vouches for it.

use crate::idp::{IdentityProvider, IdpCertificate, LogoutService, MAX_CERTIFICATES, SetupError};
use crate::outgoing::Binding;
use crate::xml::PROTOCOL;
use crate::{bytes, structure};
use samael::metadata::{
    Endpoint, EntityDescriptor, EntityDescriptorType, HTTP_POST_BINDING, HTTP_REDIRECT_BINDING, IdpSsoDescriptor,
};
use time::OffsetDateTime;

/// Entra's tenant-wide document has about 100 KB.
const MAX_METADATA_BYTES: usize = 1024 * 1024;

/// The identity provider that the document describes, and until when.
pub(crate) fn read(xml: &str) -> Result<(IdentityProvider, Option<OffsetDateTime>), SetupError> {
    if xml.len() > MAX_METADATA_BYTES {
        return Err(SetupError::MetadataTooLarge);
    }
    let text = bytes::plain(xml.trim()).map_err(SetupError::MetadataXml)?;
    structure::scan(text).map_err(SetupError::MetadataXml)?;
    let root: EntityDescriptorType = text.parse().map_err(|error| SetupError::MetadataUnreadable(Box::new(error)))?;
    let mut found = Vec::new();
    collect(&root, None, &mut found);
    match found.as_slice() {
        [Found { entity, role, until }] => Ok((identity_provider(entity, role)?, *until)),
        [] => Err(SetupError::NoIdentityProvider),
        several => Err(SetupError::SeveralIdentityProviders { count: several.len() }),
    }
}

/// An identity provider's role in a document, and until when the document vouches for it.
struct Found<'a> {
    entity: &'a EntityDescriptor,
    role: &'a IdpSsoDescriptor,
    until: Option<OffsetDateTime>,
}

/// Every SAML 2.0 identity provider role in the document; each ends with whatever it is part of (metadata 2.3.1).
fn collect<'a>(descriptor: &'a EntityDescriptorType, until: Option<OffsetDateTime>, found: &mut Vec<Found<'a>>) {
    match descriptor {
        EntityDescriptorType::EntitiesDescriptor(group) => {
            let until = earlier(until, instant(group.valid_until.map(|end| end.timestamp())));
            for descriptor in &group.descriptors {
                collect(descriptor, until, found);
            }
        }
        EntityDescriptorType::EntityDescriptor(entity) => {
            let until = earlier(until, instant(entity.valid_until.map(|end| end.timestamp())));
            let roles = entity.idp_sso_descriptors.iter().flatten();
            found.extend(roles.filter(|role| speaks_saml2(role)).map(|role| {
                let until = earlier(until, instant(role.valid_until.map(|end| end.timestamp())));
                Found { entity, role, until }
            }));
        }
    }
}

fn instant(seconds: Option<i64>) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds?).ok()
}

fn earlier(one: Option<OffsetDateTime>, other: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
    one.into_iter().chain(other).min()
}

/// metadata 2.4.1: `protocolSupportEnumeration` is required; where it is left out, we assume SAML 2.0.
fn speaks_saml2(role: &IdpSsoDescriptor) -> bool {
    let protocols = role.protocol_support_enumeration.as_deref();
    protocols.is_none_or(|protocols| protocols.split_ascii_whitespace().any(|protocol| protocol == PROTOCOL))
}

fn identity_provider(entity: &EntityDescriptor, role: &IdpSsoDescriptor) -> Result<IdentityProvider, SetupError> {
    let (sso, binding) = endpoint(&role.single_sign_on_services).ok_or(SetupError::EndpointMissing)?;
    // Who cannot be told of logout can still sign people in.
    let slo = endpoint(&role.single_logout_services).and_then(|(service, binding)| {
        let response_url = service.response_location.as_deref().filter(|url| !url.trim().is_empty());
        LogoutService::new(&service.location, response_url, binding).ok()
    });
    // metadata 2.4.1.1: a key without `use` serves both purposes; an encryption key must never verify.
    let signing = role.key_descriptors.iter().filter(|key| matches!(key.key_use.as_deref(), None | Some("signing")));
    let (mut certificates, mut unusable) = (Vec::new(), None);
    for text in signing.filter_map(|key| key.key_info.x509_data.as_ref()).flat_map(|data| &data.certificates) {
        // One of a kind that we do not take must not keep out the one that follows it.
        match IdpCertificate::from_pem_or_base64(text) {
            Ok(certificate) if !certificates.contains(&certificate) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => unusable = Some(error),
        }
        // A thousand of them are not even looked at.
        if certificates.len() > MAX_CERTIFICATES {
            return Err(SetupError::TooManyCertificates);
        }
    }
    if let Some(error) = unusable.filter(|_| certificates.is_empty()) {
        return Err(error);
    }
    let entity_id = entity.entity_id.as_deref().unwrap_or_default();
    let provider = IdentityProvider::given(entity_id, (&sso.location, binding), certificates)?;
    Ok(IdentityProvider { slo, ..provider })
}

/// The address that we can use; a URL is simpler for a browser than a form.
fn endpoint(services: &[Endpoint]) -> Option<(&Endpoint, Binding)> {
    let by = |name: &str, binding| {
        let service = services.iter().find(|service| service.binding == name);
        service.map(|service| (service, binding))
    };
    by(HTTP_REDIRECT_BINDING, Binding::Redirect).or_else(|| by(HTTP_POST_BINDING, Binding::Post))
}
