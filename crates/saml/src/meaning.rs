//! Step 8: what the verified bytes say must fit this service provider, this identity provider and this moment.
//! Requests, replay and users are for the caller.

use crate::code::{Code, Rejection};
use crate::read::{Assertion, Confirmation, Response};
use crate::response::Expected;
use time::{Duration, OffsetDateTime};

/// How long after it was issued an answer is accepted, clock difference not counted.
const ANSWER_LIFETIME: Duration = Duration::minutes(5);

/// What follows from an accepted answer.
#[derive(Clone)]
pub(crate) struct Accepted {
    pub(crate) in_response_to: Option<String>,
    /// The last instant at which the same assertion could be accepted again.
    pub(crate) valid_until: OffsetDateTime,
    pub(crate) session_not_on_or_after: Option<OffsetDateTime>,
}

/// Judges the Response and the Assertion together.
pub(crate) fn judge(
    response: &Response,
    response_is_signed: bool,
    assertion: &Assertion,
    expected: &Expected<'_>,
) -> Result<Accepted, Rejection> {
    let clock = Clock::of(expected);
    self::response(response, response_is_signed, expected, &clock)?;
    version(&assertion.version)?;
    if assertion.issuer != expected.idp.entity_id {
        return Err(differs(Code::AssertionIssuer, &expected.idp.entity_id, &assertion.issuer));
    }
    clock.recently_issued(assertion.issue_instant)?;
    conditions(assertion, expected, &clock)?;
    let confirmation = confirmation(assertion, response, expected, &clock)?;
    let session_not_on_or_after = statements(assertion, &clock)?;

    let ends = [
        assertion.issue_instant.checked_add(ANSWER_LIFETIME),
        assertion.conditions.not_on_or_after,
        assertion.confirmations.iter().filter_map(|confirmation| confirmation.not_on_or_after).max(),
    ];
    let end = ends.into_iter().flatten().min().ok_or(Code::TimeFormat)?;
    Ok(Accepted {
        in_response_to: confirmation.in_response_to.clone(),
        valid_until: end.checked_add(expected.skew).ok_or(Code::TimeFormat)?,
        session_not_on_or_after,
    })
}

/// core 3.2.2. An unsigned Response proves nothing, but what it says must still fit.
fn response(response: &Response, is_signed: bool, expected: &Expected<'_>, clock: &Clock) -> Result<(), Rejection> {
    version(&response.version)?;
    if let Some(issuer) = response.issuer.as_ref().filter(|issuer| **issuer != expected.idp.entity_id) {
        return Err(differs(Code::ResponseIssuer, &expected.idp.entity_id, issuer));
    }
    match &response.destination {
        Some(destination) if *destination == expected.sp.acs_url => {}
        Some(destination) => return Err(differs(Code::Destination, &expected.sp.acs_url, destination)),
        // bindings 3.5.5.2: a signed message over POST names its destination.
        None if is_signed => return Err(differs(Code::DestinationMissing, &expected.sp.acs_url, "nothing")),
        None => {}
    }
    clock.recently_issued(response.issue_instant)
}

/// core 2.5.1: every condition must hold, and an audience restriction must be there (profiles 4.1.4.2).
fn conditions(assertion: &Assertion, expected: &Expected<'_>, clock: &Clock) -> Result<(), Rejection> {
    let conditions = &assertion.conditions;
    if let (Some(begin), Some(end)) = (conditions.not_before, conditions.not_on_or_after)
        && begin >= end
    {
        return Err(Rejection::new(Code::PeriodInverted)
            .expected(&format!("an end after {begin}"))
            .received(&end.to_string()));
    }
    if conditions.not_before.is_some_and(|begin| !clock.has_begun(begin)) {
        return Err(clock.refuse(Code::NotYetValid, conditions.not_before));
    }
    if conditions.not_on_or_after.is_some_and(|end| clock.is_over(end)) {
        return Err(clock.refuse(Code::Expired, conditions.not_on_or_after));
    }
    let own = &expected.sp.entity_id;
    if conditions.audience_restrictions.is_empty() {
        return Err(differs(Code::AudienceMissing, own, "nothing"));
    }
    // core 2.5.1.4: within one restriction any audience will do, but every restriction must hold.
    match conditions.audience_restrictions.iter().find(|audiences| !audiences.contains(own)) {
        Some(audiences) => Err(differs(Code::Audience, own, &audiences.join(", "))),
        None => Ok(()),
    }
}

/// profiles 4.1.4.3: one bearer confirmation must hold; when none does, the first one's failure is told.
fn confirmation<'a>(
    assertion: &'a Assertion,
    response: &Response,
    expected: &Expected<'_>,
    clock: &Clock,
) -> Result<&'a Confirmation, Rejection> {
    let mut first_failure = None;
    for confirmation in &assertion.confirmations {
        match bearer(confirmation, response, expected, clock) {
            Ok(()) => return Ok(confirmation),
            Err(failure) => first_failure = first_failure.or(Some(failure)),
        }
    }
    Err(first_failure.unwrap_or_else(|| Code::BearerMissing.into()))
}

fn bearer(
    confirmation: &Confirmation,
    response: &Response,
    expected: &Expected<'_>,
    clock: &Clock,
) -> Result<(), Rejection> {
    let acs_url = &expected.sp.acs_url;
    match &confirmation.recipient {
        None => return Err(differs(Code::RecipientMissing, acs_url, "nothing")),
        Some(recipient) if recipient != acs_url => return Err(differs(Code::Recipient, acs_url, recipient)),
        Some(_) => {}
    }
    if confirmation.not_before.is_some() {
        return Err(Code::ConfirmationNotBefore.into());
    }
    let end = confirmation.not_on_or_after.ok_or(Code::ConfirmationEndMissing)?;
    if clock.is_over(end) {
        return Err(clock.refuse(Code::ConfirmationExpired, Some(end)));
    }
    if confirmation.in_response_to != response.in_response_to {
        let or_nothing = |request: &Option<String>| request.clone().unwrap_or_else(|| "nothing".to_owned());
        return Err(differs(
            Code::InResponseTo,
            &or_nothing(&response.in_response_to),
            &or_nothing(&confirmation.in_response_to),
        ));
    }
    Ok(())
}

/// profiles 4.1.4.2: at least one AuthnStatement; gives back the earliest end of a session.
fn statements(assertion: &Assertion, clock: &Clock) -> Result<Option<OffsetDateTime>, Rejection> {
    if assertion.statements.is_empty() {
        return Err(Code::AuthnStatementMissing.into());
    }
    if let Some(early) = assertion.statements.iter().find(|statement| !clock.has_begun(statement.instant)) {
        return Err(clock.refuse(Code::AuthnInFuture, Some(early.instant)));
    }
    let end = assertion.statements.iter().filter_map(|statement| statement.session_not_on_or_after).min();
    match end {
        Some(end) if clock.is_over(end) => Err(clock.refuse(Code::SessionEnded, Some(end))),
        end => Ok(end),
    }
}

fn version(version: &str) -> Result<(), Rejection> {
    if version == "2.0" { Ok(()) } else { Err(differs(Code::Version, "2.0", version)) }
}

fn differs(code: Code, expected: &str, received: &str) -> Rejection {
    Rejection::new(code).expected(expected).received(received)
}

/// The one time of this verification. Sums that leave the calendar count as a refusal.
pub(crate) struct Clock {
    now: OffsetDateTime,
    skew: Duration,
}

impl Clock {
    pub(crate) fn of(expected: &Expected<'_>) -> Self {
        Self { now: expected.now, skew: expected.skew }
    }

    fn has_begun(&self, begin: OffsetDateTime) -> bool {
        self.now.checked_add(self.skew).is_some_and(|latest| begin <= latest)
    }

    pub(crate) fn is_over(&self, end: OffsetDateTime) -> bool {
        self.now.checked_sub(self.skew).is_none_or(|earliest| end <= earliest)
    }

    pub(crate) fn recently_issued(&self, instant: OffsetDateTime) -> Result<(), Rejection> {
        if !self.has_begun(instant) {
            return Err(self.refuse(Code::IssuedInFuture, Some(instant)));
        }
        match instant.checked_add(ANSWER_LIFETIME) {
            Some(end) if !self.is_over(end) => Ok(()),
            _ => Err(self.refuse(Code::IssuedLongAgo, Some(instant))),
        }
    }

    pub(crate) fn refuse(&self, code: Code, received: Option<OffsetDateTime>) -> Rejection {
        let rejection = Rejection::new(code).expected(&format!("to fit our clock, {}", self.now));
        match received {
            Some(instant) => rejection.received(&instant.to_string()),
            None => rejection,
        }
    }
}
