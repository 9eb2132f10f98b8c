//! The rules of requests that need no database: state, digest, separation of duties.
use crate::{
    error::Refusal,
    people::second::{LINKED, NEW, Standing},
    policies::model::{Class, Right, Role, Tier},
    time::Moment,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// How long a request waits for an answer.
pub const WAITS: TimeDelta = TimeDelta::days(7);

/// Everything that a decision binds to. Format 1 of the request digest: frozen.
#[derive(Clone, Debug, Serialize)]
pub struct Terms<'a> {
    pub request: &'a str,
    pub revision: u32,
    pub requester: &'a str,
    pub beneficiary: &'a str,
    pub environment: &'a str,
    pub tier: Tier,
    pub class: Class,
    pub right: Right,
    pub secrets: &'a [&'a str],
    pub minutes: u64,
    pub reason: &'a str,
    pub policy: &'a str,
    /// When access begins, if later than its approval. Absent terms leave the digest of before.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written")]
    pub starts_at: Option<Moment>,
    /// What approvers read of the secrets ([`shown`]). Absent in requests of the first versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<&'a str>,
}

/// A secret as whoever decides reads it.
#[derive(Clone, Debug, Serialize)]
pub struct Shown<'a> {
    pub secret: &'a str,
    pub path: &'a str,
    pub class: &'a str,
    pub description: &'a str,
}

/// SHA-256(`countersign/shown/v1` ‖ JCS of the secrets by their ids), base64url: what a request was asked for, under the names that it
/// was asked by.
pub fn shown(mut secrets: Vec<Shown<'_>>) -> String {
    secrets.sort_by_key(|shown| shown.secret.to_owned());
    let json = serde_json_canonicalizer::to_vec(&secrets).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(Sha256::new().chain_update("countersign/shown/v1").chain_update(json).finalize())
}

fn written<S: serde::Serializer>(at: &Option<Moment>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(crate::time::rfc3339).serialize(serializer)
}

impl Terms<'_> {
    /// SHA-256(`countersign/request/v1` ‖ JCS of the terms), base64url.
    pub fn digest(&self) -> String {
        let json = serde_json_canonicalizer::to_vec(self).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(Sha256::new().chain_update("countersign/request/v1").chain_update(json).finalize())
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Approved,
    Denied,
    Withdrawn,
    Expired,
    Voided,
}

impl Outcome {
    pub const ALL: [Self; 5] = [Self::Approved, Self::Denied, Self::Withdrawn, Self::Expired, Self::Voided];

    pub fn code(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Voided => "voided",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.code() == code)
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Approved => "Approved",
            Self::Denied => "Denied",
            Self::Withdrawn => "Withdrawn",
            Self::Expired => "Expired, nobody decided",
            Self::Voided => "Without effect",
        }
    }
}

/// A request's state at a moment: computed from facts, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `taken` of `seats` have approved.
    InReview {
        taken: usize,
        seats: usize,
    },
    Ended(Outcome),
}

/// `outcome` is what was recorded; a request that nobody answered in time has expired, recorded or not.
pub fn state(outcome: Option<Outcome>, expires_at: Moment, taken: usize, seats: usize, now: Moment) -> State {
    match outcome {
        Some(outcome) => State::Ended(outcome),
        None if now >= expires_at => State::Ended(Outcome::Expired),
        None => State::InReview { taken, seats },
    }
}

/// The longest that access may be asked for ahead of its beginning.
pub const AHEAD: TimeDelta = WAITS;

/// What an approver leaves of a request: never more than it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Less {
    pub secrets: Vec<String>,
    pub minutes: i64,
}

impl Less {
    /// Is this a true part of what was asked for? Says at which field it is not.
    pub fn of(self, secrets: &[&str], minutes: i64) -> Result<Self, (&'static str, &'static str)> {
        if self.secrets.is_empty() {
            return Err(("secrets", "Keep at least one secret, or deny the request."));
        }
        if self.secrets.iter().any(|id| !secrets.contains(&id.as_str())) {
            return Err(("secrets", "This is more than was asked for."));
        }
        if self.minutes < 1 || self.minutes > minutes {
            return Err(("minutes", "No longer than was asked for."));
        }
        if self.minutes == minutes && self.secrets.len() == secrets.len() {
            return Err(("minutes", "This is all that was asked for: approve it as it is, or choose less."));
        }
        Ok(self)
    }
}

/// What the separation-of-duty rules look at. Facts, loaded by the server.
#[derive(Clone, Debug)]
pub struct Seat<'a> {
    pub tier: Tier,
    /// The role that this seat asks for; `None` when every seat is taken.
    pub wanted: Option<Role>,
    pub requester: &'a str,
    pub decider: &'a str,
    /// In whose place they decide, with that one's roles.
    pub absent: Option<&'a str>,
    /// Roles that count here, each with since when.
    pub roles: &'a [(Role, Moment)],
    pub account_since: Moment,
    /// A second factor is enrolled here.
    pub factor: bool,
    /// Who already signed.
    pub signed: &'a [&'a str],
    /// The decider belongs to the team of the workload that would benefit.
    pub benefits: bool,
    /// When the decider last made, or issued a client secret for, the workload that would benefit.
    pub trust_changed_at: Option<Moment>,
    /// When one of the two last set up the other's account or gave the other a role.
    pub linked_at: Option<Moment>,
    /// When the requester last decided on a request of the decider.
    pub mutual_at: Option<Moment>,
}

/// May this person take the next seat? These rules no policy can switch off.
pub fn may_sit(seat: &Seat<'_>, now: Moment) -> Result<(), Refusal> {
    if seat.decider == seat.requester {
        return Err(Refusal::OwnRequest);
    }
    if seat.absent == Some(seat.requester) {
        return Err(Refusal::DelegatedSeat);
    }
    if seat.benefits {
        return Err(Refusal::OwnBenefit);
    }
    if seat.tier == Tier::Production && seat.trust_changed_at.is_some_and(|at| now - at < LINKED) {
        return Err(Refusal::ChangedTrust);
    }
    if seat.signed.contains(&seat.decider) || seat.absent.is_some_and(|absent| seat.signed.contains(&absent)) {
        return Err(Refusal::SeatTaken);
    }
    let wanted = seat.wanted.ok_or(Refusal::NotOpen)?;
    let since = seat.roles.iter().filter(|(role, _)| *role == wanted).map(|(_, since)| *since).min();
    let since = since.ok_or(Refusal::NotAnApprover)?;
    let standing = Standing {
        account_since: seat.account_since,
        factor: seat.factor,
        linked_at: seat.linked_at,
        guarded: seat.tier == Tier::Production,
    };
    standing.counts(since, now)?;
    if seat.mutual_at.is_some_and(|at| now - at < NEW) {
        return Err(Refusal::MutualApproval);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms<'static> {
        Terms {
            request: "req_01m846kxs0e8kbcf2tpy8vep2a",
            revision: 1,
            requester: "per_01m846kxs0e8kbcf2tpy8vep2a",
            beneficiary: "per_01m846kxs0e8kbcf2tpy8vep2a",
            environment: "env_01m846kxs0e8kbcf2tpy8vep2a",
            tier: Tier::Production,
            class: Class::Critical,
            right: Right::Read,
            secrets: &["sec_01m846kxs0e8kbcf2tpy8vep2a"],
            minutes: 240,
            reason: "PAY-2291: totals differ",
            policy: "production-critical",
            starts_at: None,
            shown: None,
        }
    }

    /// Request digest, format 1: this text must never change. It was computed by another program.
    #[test]
    fn frozen_vector() {
        assert_eq!(terms().digest(), include_str!("../../vectors/request-digest-v1.txt").trim_end());
    }

    #[test]
    fn any_change_of_terms_is_another_digest() {
        let digest = terms().digest();
        let changed = [
            Terms { revision: 2, ..terms() },
            Terms { tier: Tier::Staging, ..terms() },
            Terms { class: Class::High, ..terms() },
            Terms { right: Right::Write, ..terms() },
            Terms { secrets: &[], ..terms() },
            Terms { minutes: 241, ..terms() },
            Terms { reason: "PAY-2291: totals differ.", ..terms() },
            Terms { policy: "production", ..terms() },
            Terms { starts_at: Some(Moment::default()), ..terms() },
            Terms { beneficiary: "wkl_01m846kxs0e8kbcf2tpy8vep2a", ..terms() },
            Terms { shown: Some("other"), ..terms() },
        ];
        assert!(changed.iter().all(|changed| changed.digest() != digest));
    }

    #[test]
    fn less_is_never_more() {
        let asked = ["a", "b"];
        let less =
            |secrets: &[&str], minutes| Less { secrets: secrets.iter().map(ToString::to_string).collect(), minutes };
        for good in [less(&["a"], 60), less(&["a", "b"], 59), less(&["b"], 1)] {
            assert_eq!(good.clone().of(&asked, 60), Ok(good));
        }
        for (bad, field) in [
            (less(&[], 60), "secrets"),
            (less(&["a", "c"], 60), "secrets"),
            (less(&["a"], 61), "minutes"),
            (less(&["a"], 0), "minutes"),
            (less(&["a", "b"], 60), "minutes"),
        ] {
            assert_eq!(bad.of(&asked, 60).map_err(|(field, _)| field), Err(field));
        }
    }

    #[test]
    fn states_follow_from_facts() {
        let now = Moment::default();
        let later = now + TimeDelta::hours(1);
        assert_eq!(state(None, later, 1, 2, now), State::InReview { taken: 1, seats: 2 });
        assert_eq!(state(None, later, 1, 2, later), State::Ended(Outcome::Expired));
        for outcome in Outcome::ALL {
            assert_eq!(state(Some(outcome), now, 0, 1, later), State::Ended(outcome));
            assert_eq!(Outcome::from_code(outcome.code()), Some(outcome));
        }
    }

    #[test]
    fn every_separation_rule_bites() {
        let now = Moment::default();
        let ago = |hours| now - TimeDelta::hours(hours);
        let roles = [(Role::Lead, ago(500))];
        let good = Seat {
            tier: Tier::Production,
            wanted: Some(Role::Lead),
            requester: "jonas",
            decider: "iris",
            absent: None,
            roles: &roles,
            account_since: ago(500),
            factor: true,
            signed: &[],
            benefits: false,
            trust_changed_at: None,
            linked_at: None,
            mutual_at: None,
        };
        assert_eq!(may_sit(&good, now), Ok(()));
        let new_role = [(Role::Lead, ago(23))];
        let cases = [
            (Seat { decider: "jonas", ..good.clone() }, Refusal::OwnRequest),
            (Seat { absent: Some("jonas"), ..good.clone() }, Refusal::DelegatedSeat),
            (Seat { absent: Some("teodor"), signed: &["teodor"], ..good.clone() }, Refusal::SeatTaken),
            (Seat { benefits: true, ..good.clone() }, Refusal::OwnBenefit),
            (Seat { trust_changed_at: Some(ago(167)), ..good.clone() }, Refusal::ChangedTrust),
            (Seat { signed: &["iris"], ..good.clone() }, Refusal::SeatTaken),
            (Seat { wanted: Some(Role::Security), ..good.clone() }, Refusal::NotAnApprover),
            (Seat { wanted: None, ..good.clone() }, Refusal::NotOpen),
            (Seat { roles: &[], ..good.clone() }, Refusal::NotAnApprover),
            (Seat { linked_at: Some(ago(167)), ..good.clone() }, Refusal::LinkedAccounts),
            (Seat { factor: false, ..good.clone() }, Refusal::NoFactor),
            (Seat { roles: &new_role, ..good.clone() }, Refusal::NewcomerDecides),
            (Seat { account_since: ago(1), ..good.clone() }, Refusal::NewcomerDecides),
            (Seat { mutual_at: Some(ago(23)), ..good.clone() }, Refusal::MutualApproval),
        ];
        for (seat, refusal) in cases {
            assert_eq!(may_sit(&seat, now), Err(refusal));
        }
        assert_eq!(may_sit(&Seat { tier: Tier::Test, roles: &new_role, ..good.clone() }, now), Ok(()));
        assert_eq!(may_sit(&Seat { linked_at: Some(ago(168)), mutual_at: Some(ago(24)), ..good }, now), Ok(()));
    }
}
