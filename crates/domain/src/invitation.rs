//! The life of an invitation. It lasts 14 days from sending unless the application says otherwise, and nothing that happened to
//! one blocks the next.

use crate::{email::Email, ids::InvitationId, refusal::Refusal};
use time::{Duration, OffsetDateTime};

/// How long a code works after it was sent, usually.
pub const LIFETIME: Duration = Duration::days(14);

/// An invitation as stored: what happened to it so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation {
    pub id: InvitationId,
    pub created_at: OffsetDateTime,
    /// How long the code works after it was sent.
    pub lifetime: Duration,
    pub step: Step,
}

/// The last thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Written down; no mail server has taken it yet. A lost one stays here.
    Created,
    /// A mail server took it.
    Sent { at: OffsetDateTime },
    /// It came back.
    Bounced,
    /// The person arrived, by the code or by single sign-on.
    Accepted,
    /// An administrator withdrew it, or the person was taken out.
    Revoked,
    /// A newer one took its place.
    Superseded,
}

impl Step {
    /// The step as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Sent { .. } => "sent",
            Self::Bounced => "bounced",
            Self::Accepted => "accepted",
            Self::Revoked => "revoked",
            Self::Superseded => "superseded",
        }
    }

    /// Whether something can still become of it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Created | Self::Sent { .. } | Self::Bounced)
    }
}

impl Status {
    /// The status as people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "created",
            Self::Live => "sent",
            Self::Stale => "expired",
            Self::Bounced => "bounced",
            Self::Accepted => "accepted",
            Self::Revoked => "revoked",
            Self::Superseded => "superseded",
        }
    }
}

/// What happens to an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Send,
    Bounce,
    /// By the code.
    Accept,
    /// By single sign-on: whoever is in needs no code, not even one that would still work.
    Arrive,
    Revoke,
    Supersede,
}

/// Where an invitation stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Pending,
    Live,
    Stale,
    Bounced,
    Accepted,
    Revoked,
    Superseded,
}

impl Invitation {
    /// When the code stops working: its lifetime after sending, or after creation while it was not sent or came back.
    pub fn expires_at(&self) -> OffsetDateTime {
        match self.step {
            Step::Sent { at } => at + self.lifetime,
            _ => self.created_at + self.lifetime,
        }
    }

    /// Where the invitation stands now.
    pub fn status(&self, now: OffsetDateTime) -> Status {
        match self.step {
            Step::Accepted => Status::Accepted,
            Step::Revoked => Status::Revoked,
            Step::Superseded => Status::Superseded,
            Step::Created | Step::Sent { .. } | Step::Bounced if self.expires_at() <= now => Status::Stale,
            Step::Bounced => Status::Bounced,
            Step::Created => Status::Pending,
            Step::Sent { .. } => Status::Live,
        }
    }

    /// The invitation after `action`; a step that is over stays as it is, so every action may be repeated.
    ///
    /// # Errors
    /// Why the code does not work, or why the mail is not worth sending any more.
    pub fn after(self, action: Action, now: OffsetDateTime) -> Result<Self, Refusal> {
        let step = match (action, self.status(now)) {
            (Action::Accept, Status::Pending | Status::Live | Status::Bounced) => Step::Accepted,
            (Action::Accept, Status::Stale) => return Err(Refusal::InvitationExpired),
            (Action::Accept, Status::Accepted) => return Err(Refusal::InvitationUsed),
            (Action::Accept, Status::Revoked | Status::Superseded) => return Err(Refusal::InvitationWithdrawn),
            // The code was accepted or replaced while the mail was on its way: nothing to undo.
            (_, Status::Accepted | Status::Revoked | Status::Superseded) => self.step,
            (Action::Send, Status::Stale) => return Err(Refusal::InvitationExpired),
            // Whoever sent it twice, because nobody knew whether it had gone, gave it no longer life by that.
            (Action::Send, Status::Live) => self.step,
            (Action::Send, _) => Step::Sent { at: now },
            (Action::Bounce, _) => Step::Bounced,
            (Action::Arrive, _) => Step::Accepted,
            (Action::Revoke, _) => Step::Revoked,
            (Action::Supersede, _) => Step::Superseded,
        };
        Ok(Self { step, ..self })
    }
}

/// What becomes of the invitation of somebody whom the identity provider wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Leave,
    /// Whatever stands is superseded.
    Invite,
    /// The same, if the one that stands is of no use any more: [`is_useless`].
    Renew,
    Withdraw,
}

/// What an application that invites by mail wants for an account: who is pushed or assigned again is invited, who goes out is not any
/// more.
pub fn wish(was_active: bool, is_active: bool) -> Wish {
    match (was_active, is_active) {
        (false, true) => Wish::Invite,
        (true, false) => Wish::Withdraw,
        (true, true) => Wish::Renew,
        (false, false) => Wish::Leave,
    }
}

/// Whether the invitation to `invited` (the key of an address) does not lead the account in any more, whose address is `now_at`: it
/// has run out, or was sent to an address that is not the person's. One that is over is no matter: they came, or somebody withdrew
/// it.
pub fn is_useless(invitation: &Invitation, invited: &str, now_at: Option<&Email>, now: OffsetDateTime) -> bool {
    let is_elsewhere = now_at.is_some_and(|email| email.key() != invited);
    invitation.step.is_open() && (is_elsewhere || invitation.status(now) == Status::Stale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const DAY: Duration = Duration::DAY;
    const T0: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const ACTIONS: [Action; 6] =
        [Action::Send, Action::Bounce, Action::Accept, Action::Arrive, Action::Revoke, Action::Supersede];

    fn invitation(step: Step) -> Invitation {
        Invitation { id: InvitationId(Uuid::nil()), created_at: T0, lifetime: LIFETIME, step }
    }

    #[test]
    fn a_code_lasts_14_days_from_sending() {
        let sent = invitation(Step::Sent { at: T0 + DAY });
        assert_eq!(sent.status(T0 + 15 * DAY - Duration::SECOND), Status::Live);
        assert_eq!(sent.status(T0 + 15 * DAY), Status::Stale);
        assert_eq!(sent.after(Action::Accept, T0 + 15 * DAY), Err(Refusal::InvitationExpired));
        assert_eq!(invitation(Step::Created).status(T0 + 14 * DAY), Status::Stale, "lost before sending");
        assert_eq!(
            invitation(Step::Bounced).status(T0 + 14 * DAY),
            Status::Stale,
            "a bounced one does not live longer"
        );
    }

    #[test]
    fn accepting_is_possible_exactly_once_and_only_while_it_stands() {
        let now = T0 + DAY;
        let table = [
            (Step::Created, Ok(Step::Accepted)),
            (Step::Sent { at: T0 }, Ok(Step::Accepted)),
            (Step::Bounced, Ok(Step::Accepted)),
            (Step::Accepted, Err(Refusal::InvitationUsed)),
            (Step::Revoked, Err(Refusal::InvitationWithdrawn)),
            (Step::Superseded, Err(Refusal::InvitationWithdrawn)),
        ];
        for (step, outcome) in table {
            assert_eq!(invitation(step).after(Action::Accept, now).map(|i| i.step), outcome, "{step:?}");
        }
    }

    #[test]
    fn no_history_blocks_the_next_invitation_and_none_revives_a_closed_one() {
        // Every history of up to four actions, each taken a few days after the other.
        for code in 0..ACTIONS.len().pow(4) {
            for gap in [0, 5, 20] {
                let mut now = T0;
                let mut one = invitation(Step::Created);
                for place in 0..4 {
                    let action = ACTIONS[code / ACTIONS.len().pow(place) % ACTIONS.len()];
                    let closed = matches!(one.step, Step::Accepted | Step::Revoked | Step::Superseded);
                    let next = one.after(action, now).unwrap_or(one);
                    assert!(!closed || next == one, "a closed invitation moved");
                    one = next;
                    now += gap * DAY;
                }
                let next = invitation(Step::Sent { at: now });
                assert_eq!(next.status(now), Status::Live, "the next one works whatever became of this one");
                let after = one.after(Action::Supersede, now).unwrap();
                assert!(
                    !after.step.is_open() && after.after(Action::Accept, now).is_err(),
                    "only the newest code works"
                );
                assert!(one.after(Action::Arrive, now).is_ok(), "who signs in is in, whatever became of it");
            }
        }
    }

    #[test]
    fn only_what_does_not_lead_in_any_more_is_renewed() {
        let address = |text: &str| Email::parse(text).unwrap();
        let (ann, now) = (address("Ann@acme.test"), T0 + 15 * DAY);
        let table = [
            (Step::Sent { at: T0 + 2 * DAY }, "ann@acme.test", false),
            (Step::Sent { at: T0 }, "ann@acme.test", true),
            (Step::Sent { at: T0 + 2 * DAY }, "an@acme.test", true),
            (Step::Bounced, "an@acme.test", true),
            (Step::Accepted, "an@acme.test", false),
            (Step::Revoked, "ann@acme.test", false),
        ];
        for (step, invited, is_renewed) in table {
            assert_eq!(is_useless(&invitation(step), invited, Some(&ann), now), is_renewed, "{step:?} {invited}");
        }
        assert!(
            !is_useless(&invitation(Step::Bounced), "ann@acme.test", Some(&ann), T0 + DAY),
            "no mail at each change"
        );
        assert!(!is_useless(&invitation(Step::Created), "ann@acme.test", None, T0), "nowhere to send another");
    }
}
