//! Four eyes: whether somebody may agree to what another one began. The rules are in `app/src/people/second.rs`.
use super::{
    factors, linked_at,
    store::{Person, RoleRow},
};
use crate::{console::Console, db::Sql};
use app::{
    error::{Error, Refusal},
    people::second::{Second, Standing, may_second},
    policies::model::{Role, Tier},
};

/// What takes another person.
#[derive(Clone, Copy, Debug)]
pub struct Begun<'a> {
    /// Who began it, and who gains by it, as far as they are people.
    pub by: &'a [&'a str],
    /// What they are told who would agree to it themselves.
    pub own: Refusal,
    /// The roles that agree: in the organisation, or in the project that it is about.
    pub roles: &'a [Role],
    pub project: Option<&'a str>,
    /// It takes a factor and a day.
    pub guarded: bool,
}

impl<'a> Begun<'a> {
    /// An operation in an environment of this level.
    pub fn at(tier: Tier, project: &'a str, by: &'a [&'a str], roles: &'a [Role]) -> Self {
        Self { by, own: Refusal::OwnRequest, roles, project: Some(project), guarded: tier == Tier::Production }
    }

    fn agrees(&self, row: &RoleRow) -> bool {
        let here = row.project_id.is_none() || row.project_id.as_deref() == self.project;
        here && self.roles.iter().any(|role| role.code() == row.role)
    }
}

/// May this person, with these roles, agree to it?
pub async fn second(
    console: &Console,
    db: &mut impl Sql,
    person: &Person,
    roles: &[RoleRow],
    begun: Begun<'_>,
) -> Result<Result<(), Refusal>, Error> {
    let mut linked = None;
    for other in begun.by.iter().filter(|other| **other != person.id) {
        linked = linked.max(linked_at(console, db, person, other).await?);
    }
    let second = Second {
        begun_by: begun.by,
        own: begun.own,
        person: &person.id,
        role_since: roles.iter().filter(|row| begun.agrees(row)).map(|row| row.valid_from).min(),
        standing: Standing {
            account_since: person.counts_since(),
            factor: factors::decides(console, db, &person.id).await?,
            linked_at: linked,
            guarded: begun.guarded,
        },
    };
    Ok(may_second(&second, console.now()))
}
