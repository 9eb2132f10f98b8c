//! Four eyes: who may be the second person for what another one began. No policy can switch these rules off.
use crate::{error::Refusal, time::Moment};
use chrono::TimeDelta;

/// How long two accounts count as one human after one set up the other's account, factor or role.
pub const LINKED: TimeDelta = TimeDelta::days(7);
/// How long a new account, factor or role decides nothing in production; and how far apart two mutual decisions must lie.
pub const NEW: TimeDelta = TimeDelta::hours(24);

/// Whether somebody's word counts beside another one's. Facts, loaded by the server.
#[derive(Clone, Debug)]
pub struct Standing {
    pub account_since: Moment,
    /// A second factor is enrolled here.
    pub factor: bool,
    /// When one of the two last set up the other's account or gave the other a role.
    pub linked_at: Option<Moment>,
    /// In production, or about a control: it takes a factor, and a day.
    pub guarded: bool,
}

impl Standing {
    /// Does it, by a role that they hold since then?
    pub fn counts(&self, role_since: Moment, now: Moment) -> Result<(), Refusal> {
        if self.linked_at.is_some_and(|at| now - at < LINKED) {
            return Err(Refusal::LinkedAccounts);
        }
        if self.guarded && !self.factor {
            return Err(Refusal::NoFactor);
        }
        if self.guarded && (now - role_since < NEW || now - self.account_since < NEW) {
            return Err(Refusal::NewcomerDecides);
        }
        Ok(())
    }
}

/// Somebody who would agree to what others began.
#[derive(Clone, Debug)]
pub struct Second<'a> {
    /// Who began it, and who gains by it: none of them is the second. With what they are told.
    pub begun_by: &'a [&'a str],
    pub own: Refusal,
    pub person: &'a str,
    /// Since when they hold a role that agrees to this.
    pub role_since: Option<Moment>,
    pub standing: Standing,
}

pub fn may_second(second: &Second<'_>, now: Moment) -> Result<(), Refusal> {
    if second.begun_by.contains(&second.person) {
        return Err(second.own);
    }
    second.standing.counts(second.role_since.ok_or(Refusal::NotAnApprover)?, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_bites() {
        let now = Moment::default();
        let ago = |hours| now - TimeDelta::hours(hours);
        let good = Second {
            begun_by: &["anna", "jonas"],
            own: Refusal::OwnChange,
            person: "mara",
            role_since: Some(ago(500)),
            standing: Standing { account_since: ago(500), factor: true, linked_at: None, guarded: true },
        };
        let standing = |change: &dyn Fn(&mut Standing)| {
            let mut second = good.clone();
            change(&mut second.standing);
            second
        };
        let newly = Second { role_since: Some(ago(23)), ..good.clone() };
        assert_eq!(may_second(&good, now), Ok(()));
        for (second, refusal) in [
            (Second { person: "anna", ..good.clone() }, Refusal::OwnChange),
            (Second { person: "jonas", ..good.clone() }, Refusal::OwnChange),
            (Second { role_since: None, ..good.clone() }, Refusal::NotAnApprover),
            (standing(&|it| it.linked_at = Some(ago(167))), Refusal::LinkedAccounts),
            (standing(&|it| it.factor = false), Refusal::NoFactor),
            (newly.clone(), Refusal::NewcomerDecides),
            (standing(&|it| it.account_since = ago(23)), Refusal::NewcomerDecides),
        ] {
            assert_eq!(may_second(&second, now), Err(refusal));
        }
        // Below production nobody waits for a day, and two who count as one do not agree there either.
        let below = |second: &Second<'static>| {
            let standing = Standing { guarded: false, factor: false, ..second.standing.clone() };
            Second { standing, ..second.clone() }
        };
        assert_eq!(may_second(&below(&newly), now), Ok(()));
        assert_eq!(may_second(&below(&standing(&|it| it.linked_at = Some(ago(1)))), now), Err(Refusal::LinkedAccounts));
    }
}
