//! Four eyes: whether somebody may agree to what another one began. The rules are in `app/src/people/second.rs`.
use super::{
    factors, linked_at,
    store::{self, RoleRow},
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
        Self { by, own: Refusal::OwnChange, roles, project: Some(project), guarded: tier == Tier::Production }
    }
}

/// Does a role decide here, as one of these? In a project its lead alone; the others hold in the organisation.
pub fn decides(row: &RoleRow, project: Option<&str>, roles: &[Role]) -> bool {
    let place = match &row.project_id {
        Some(own) => row.role == Role::Lead.code() && project == Some(own),
        None => true,
    };
    place && roles.iter().any(|role| role.code() == row.role)
}

/// May this person agree to it, as they are now?
pub async fn second(
    console: &Console,
    db: &mut impl Sql,
    person: &str,
    begun: Begun<'_>,
) -> Result<Result<(), Refusal>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let person = &store::find(db, person, key).await?.ok_or(Error::NotFound)?;
    let roles = store::roles_of(db, &person.id, now, key).await?;
    let mut linked = None;
    for other in begun.by.iter().filter(|other| **other != person.id) {
        linked = linked.max(linked_at(console, db, person, other).await?);
    }
    let second = Second {
        begun_by: begun.by,
        own: begun.own,
        person: &person.id,
        role_since: roles.iter().filter(|row| decides(row, begun.project, begun.roles)).map(|row| row.valid_from).min(),
        standing: Standing {
            account_since: person.counts_since(),
            factor: factors::decides(console, db, &person.id).await?,
            linked_at: linked,
            guarded: begun.guarded,
        },
    };
    Ok(may_second(&second, now))
}
