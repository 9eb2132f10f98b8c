//! Changes of control: the list, one of them, and the answers.
use super::{
    Problem,
    visitor::{Fields, Names, Signed, done, mistaken, shown},
};
use crate::{
    catalog,
    controls::{self, Submitted, store::Proposal},
    db::Sql,
    people::store,
    policies::Situation,
};
use app::{
    audit::action::Action,
    controls::{
        model::{Change, Control},
        page::{self, Line, Shift},
    },
    error::{Error, Refusal},
    levels::{model::Levels, page::settings},
    people::provider::{Gives, Settings},
    policies::model::{Role, Tier},
    ui::Form,
};
use axum::{extract::Path, response::Response};

type Answer = Result<Response, Problem>;

/// What became of a submitted change: back with its event, or to the proposal that waits.
pub(super) fn submitted(to: &str, action: Action, outcome: Submitted) -> Response {
    match outcome {
        Submitted::Done(receipt) => done(to, action, receipt),
        Submitted::Waits { id, receipt } => done(&format!("/controls/{id}"), Action::ProposeChange, receipt),
    }
}

/// Names of the things that changes speak of, as this reader may know them.
struct Words<'s> {
    signed: &'s Signed,
    names: Names,
}

impl Words<'_> {
    async fn project(&mut self, db: &mut impl Sql, id: Option<&str>) -> Result<String, Error> {
        let Some(id) = id else { return Ok("in the whole organisation".into()) };
        let project = catalog::store::find_project(db, id).await?;
        let seen = project.filter(|project| catalog::sees(self.signed.console(), &self.signed.caller, project));
        Ok(seen.map_or_else(|| "of a private project".into(), |project| format!("of {}", project.name)))
    }

    async fn person(&mut self, db: &mut impl Sql, id: &str) -> Result<String, Error> {
        self.names.person(db, self.signed.site(), id).await
    }

    async fn secret(&mut self, db: &mut impl Sql, id: &str) -> Result<String, Error> {
        let console = self.signed.console();
        let located = catalog::Located::find(db, id, console.seal_key()).await?;
        let seen = located.filter(|located| catalog::sees(console, &self.signed.caller, &located.project));
        Ok(seen.map_or_else(
            || "a secret of a private project".into(),
            |located| format!("{} in {} / {}", located.secret.path, located.project.slug, located.environment.slug),
        ))
    }

    async fn gives(&mut self, db: &mut impl Sql, gives: &Gives) -> Result<String, Error> {
        Ok(match gives {
            Gives::Role { role, project } => format!("{role} {}", self.project(db, project.as_deref()).await?),
            Gives::Team { team } => format!("the team {}", self.names.team(db, team).await?),
        })
    }

    async fn provider(&mut self, db: &mut impl Sql, id: &str) -> Result<String, Error> {
        let found = crate::people::providers::store::find(db, id, self.signed.console().seal_key()).await?;
        Ok(found.map_or_else(|| "a provider that is gone".into(), |row| row.name))
    }

    async fn sentence(&mut self, db: &mut impl Sql, change: &Change) -> Result<String, Error> {
        Ok(match change {
            Change::GiveRole { person, role, project, until, reads } => {
                let reads = reads.map(|period| format!(", for the events of {}", period.words())).unwrap_or_default();
                let until = until.map(|until| format!(", until {}", app::time::long(until))).unwrap_or_default();
                let (person, place) = (self.person(db, person).await?, self.project(db, project.as_deref()).await?);
                format!("Make {person} {role} {place}{until}{reads}")
            }
            Change::AddMember { person, team } => {
                format!("Add {} to the team {}", self.person(db, person).await?, self.names.team(db, team).await?)
            }
            Change::EnablePerson { person } => {
                format!("Enable the account of {} again", self.person(db, person).await?)
            }
            Change::NameEmergency { person } => {
                format!("Let {} sign in with a password in emergencies", self.person(db, person).await?)
            }
            Change::SetProvider { settings, .. } => format!("Sign in through {}", settings.name),
            Change::RemoveProvider { provider } => {
                format!("Stop signing in through {}", self.provider(db, provider).await?)
            }
            Change::SetPolicy { name, .. } => format!("Bring the policy {name} into force"),
            Change::RemovePolicy { policy } => {
                format!(
                    "Take the policy {} out of force",
                    super::policies::name_of(db, self.signed.console(), policy).await?
                )
            }
            Change::Delegate { person, absent, .. } => {
                let (person, absent) = (self.person(db, person).await?, self.person(db, absent).await?);
                format!("Let {person} decide on requests in the place of {absent}")
            }
            Change::IssueCredential { workload, .. } => {
                let name = self.names.workload(db, self.signed.site(), workload).await?;
                format!("Let a new client secret of the production workload {name} work")
            }
            Change::SetLevel { level } => format!("Set what holds at the protection level {}", level.tier),
            Change::SetClass { secret, class } => {
                format!("Lower the class of {} to {class}", self.secret(db, secret).await?)
            }
            Change::SetGroupRule { provider, group, gives, .. } => format!(
                "Make everybody in the group {group} of {} {}",
                self.provider(db, provider).await?,
                self.gives(db, gives).await?
            ),
        })
    }

    async fn shifts(
        &mut self,
        db: &mut impl Sql,
        before: Option<&Control>,
        change: &Change,
    ) -> Result<Vec<Shift>, Error> {
        let shift = |what, before: Option<String>, after: Option<String>| Shift { what, before, after };
        Ok(match change {
            Change::GiveRole { role, project, until, reads, .. } => {
                let place = self.project(db, project.as_deref()).await?;
                let end = |until: Option<app::time::Moment>, reads: &Option<app::people::period::Period>| {
                    let reads = reads.map(|period| format!(", events of {}", period.words())).unwrap_or_default();
                    let until = until.map_or("for good".into(), |at| format!("until {}", app::time::long(at)));
                    format!("{role} {place}, {until}{reads}")
                };
                let former = match before {
                    Some(Control::Role { until, reads, .. }) => Some(end(*until, reads)),
                    _ => None,
                };
                vec![shift("Role", former, Some(end(*until, reads)))]
            }
            Change::AddMember { team, .. } => vec![shift("Team", None, Some(self.names.team(db, team).await?))],
            Change::EnablePerson { .. } => vec![shift("Account", Some("disabled".into()), Some("works".into()))],
            Change::NameEmergency { .. } => vec![shift(
                "Signs in",
                Some("through the provider alone".into()),
                Some("through the provider, or with a password".into()),
            )],
            Change::SetProvider { settings, sealed_secret, .. } => {
                let former = match before {
                    Some(Control::Provider { settings, .. }) => Some(settings),
                    _ => None,
                };
                let mut shifts = settings_shifts(former, settings);
                if sealed_secret.is_some() {
                    shifts.push(shift("Client secret", former.map(|_| "as it was".into()), Some("another one".into())));
                }
                shifts
            }
            Change::SetPolicy { name, .. } => {
                let former = match before {
                    Some(Control::Policy { name, .. }) => Some(name.clone()),
                    _ => None,
                };
                vec![shift("Policy", former, Some(name.clone()))]
            }
            Change::RemovePolicy { policy } => {
                let name = super::policies::name_of(db, self.signed.console(), policy).await?;
                vec![shift("Policy", Some(name), None)]
            }
            Change::SetLevel { level } => {
                let former = match before {
                    Some(Control::Level { level }) => settings(level),
                    _ => Vec::new(),
                };
                let pairs = settings(level).into_iter().enumerate().map(|(at, (what, after))| {
                    let before = former.get(at).map(|(_, before)| before.clone());
                    shift(what, before, Some(after))
                });
                pairs.filter(|shift| shift.before != shift.after).collect()
            }
            Change::Delegate { person, absent, starts_at, ends_at } => {
                let console = self.signed.console().clone();
                let mut roles = Vec::new();
                for row in crate::people::store::roles_of(db, absent, console.now(), console.seal_key()).await? {
                    if let Some(role) =
                        Role::from_code(&row.role).filter(|_| crate::people::delegation::decides(&row.role))
                    {
                        roles.push(format!("{role} {}", self.project(db, row.project_id.as_deref()).await?));
                    }
                }
                let person = self.person(db, person).await?;
                let (from, until) = (app::time::long(*starts_at), app::time::long(*ends_at));
                vec![
                    shift("Stands in", None, Some(format!("{person}, from {from} until {until}"))),
                    shift("Decides as", None, Some(roles.join(", "))),
                ]
            }
            Change::RemoveProvider { provider } => {
                vec![shift("Provider", Some(self.provider(db, provider).await?), None)]
            }
            Change::IssueCredential { .. } => {
                vec![shift("Client secret", Some("works nowhere".into()), Some("fetches for its workload".into()))]
            }
            Change::SetClass { class, .. } => {
                let former = match before {
                    Some(Control::Class { class }) => Some(class.to_string()),
                    _ => None,
                };
                vec![shift("Class", former, Some(class.to_string()))]
            }
            Change::SetGroupRule { group, gives, .. } => {
                vec![shift("Rule", None, Some(format!("{group} gives {}", self.gives(db, gives).await?)))]
            }
        })
    }
}

/// Only what differs: that is what is decided on.
fn settings_shifts(before: Option<&Settings>, after: &Settings) -> Vec<Shift> {
    let admits = |settings: &Settings| {
        if settings.admits { "everybody whom it vouches for" } else { "only those who are invited" }.to_owned()
    };
    let age = |settings: &Settings| match settings.max_age {
        Some(seconds) => format!("at most {} ago", app::time::span(chrono::TimeDelta::seconds(seconds.into()))),
        None => "whenever it likes".into(),
    };
    type Read<'r> = (&'static str, &'r dyn Fn(&Settings) -> String);
    let fields: [Read<'_>; 7] = [
        ("Name", &|settings| settings.name.clone()),
        ("Issuer", &|settings| settings.issuer.clone()),
        ("Client", &|settings| settings.client_id.clone()),
        ("Groups are in the claim", &|settings| settings.groups_claim.clone()),
        ("Gets an account", &admits),
        ("Authentication context", &|settings| settings.acr.clone().unwrap_or_else(|| "any".into())),
        ("Authenticates", &age),
    ];
    let shift = |(what, read): &Read<'_>| Shift { what, before: before.map(read), after: Some(read(after)) };
    fields.iter().map(shift).filter(|shift| shift.before != shift.after).collect()
}

/// What follows, in sentences.
fn means(change: &Change, others: usize, levels: &Levels) -> Vec<String> {
    let role = |role: Role| match role {
        Role::Member => "Members ask for access and use what they were granted.",
        Role::Lead => "Leads keep secrets and workloads of their projects and approve access to them.",
        Role::Security => {
            "Security approves access to critical secrets, rotates, closes accounts, and confirms changes of control."
        }
        Role::Auditor => "Auditors read the trail and take evidence; they never hold a value.",
        Role::Admin => "Administrators keep people, roles and sign-in, read the trail, and confirm changes of control.",
    };
    match change {
        Change::GiveRole { role: given, .. } => {
            vec![role(*given).into(), "It decides nothing in production for its first 24 hours.".into()]
        }
        Change::AddMember { .. } => vec![
            "Members issue client secrets for the team’s workloads: what a workload may fetch they may come to hold."
                .into(),
        ],
        Change::EnablePerson { .. } => vec![
            "Roles and teams that the account had hold again; sessions, tokens and access do not come back.".into(),
            "It counts as a new account: it decides nothing in production for 24 hours.".into(),
        ],
        Change::NameEmergency { .. } => {
            vec!["Each such sign-in is told to every administrator and to security.".into()]
        }
        Change::SetProvider { settings, .. } => {
            let mut means =
                vec!["Whoever the provider vouches for is signed in here; whoever runs it can become anybody without a factor of their own here.".into()];
            if settings.admits {
                means.push("People whom nobody invited get an account, as members, at their first sign-in.".into());
            }
            if others == 0 {
                means.push("Passwords are for emergency accounts alone from then on.".into());
            }
            means
        }
        Change::SetLevel { level } => vec![
            format!("It holds in every environment of the level {} at once.", level.tier),
            "Requests that wait under other terms are asked again; access that was given keeps its end.".into(),
        ],
        Change::Delegate { .. } => vec![
            "Their word counts for a seat that is the absent one’s, never for a request that either of them made or would gain by.".into(),
            "One person still takes one seat: who decided in somebody’s place has decided for both. Each such decision names both.".into(),
            "Nothing else goes over: no access, no role that comes later, no confirming of changes of control.".into(),
        ],
        Change::IssueCredential { .. } => vec![
            "Whoever holds it fetches everything that the workload may fetch. Whoever issued it has seen it, and counts as knowing those values.".into(),
            "It ends with the account of whoever issued it.".into(),
        ],
        Change::RemoveProvider { .. } => vec![
            "Sessions that it vouched for end, and so does what its groups gave.".into(),
            "If no other provider is left, everybody’s own password works again.".into(),
        ],
        Change::SetClass { class, .. } => {
            let needs = match levels.of(Tier::Production).seats(*class) {
                [] => "nobody".to_owned(),
                seats => seats
                    .iter()
                    .map(|role| format!("one {}", role.words().to_lowercase()))
                    .collect::<Vec<_>>()
                    .join(" and "),
            };
            let shown = if levels.of(Tier::Production).copies(*class) {
                "copied without being shown"
            } else {
                "shown to whoever is granted it"
            };
            vec![
                format!("Access to it takes {needs} from then on, and it is {shown}."),
                "Requests that wait for it lose their effect: their terms name the class.".into(),
            ]
        }
        Change::SetPolicy { .. } => vec![
            "It is asked at every decision that policies govern, from the moment it is confirmed, on every replica."
                .into(),
            "It can forbid what built-in rules allow; it never allows what a built-in rule forbids.".into(),
        ],
        Change::RemovePolicy { .. } => vec!["What it forbade is decided by the other rules from then on.".into()],
        Change::SetGroupRule { gives, .. } => {
            let mut means = vec!["It holds from each person’s next sign-in, for as long as the provider says that they belong to the group.".into()];
            if let Gives::Role { role: given, .. } = gives {
                means.push(role(*given).into());
            }
            means
        }
    }
}

async fn line(words: &mut Words<'_>, db: &mut impl Sql, row: &Proposal) -> Result<Line, Error> {
    let now = words.signed.console().now();
    Ok(Line {
        words: match row.change() {
            Some(change) => words.sentence(db, &change).await?,
            None => "A change that this version does not know".into(),
        },
        id: row.id.clone(),
        proposer: words.person(db, &row.proposed_by).await?,
        proposed_at: row.proposed_at,
        expires_at: row.expires_at,
        outcome: row.outcome(now),
    })
}

/// What this reader can confirm now, as lines of the inbox.
pub(super) async fn inbox(signed: &Signed) -> Result<Vec<Line>, Error> {
    let waiting = controls::inbox(signed.console(), &signed.caller).await?;
    let mut words = Words { signed, names: Names::default() };
    let mut db = signed.console().read().await?;
    let mut lines = Vec::new();
    for row in waiting {
        lines.push(line(&mut words, &mut db, &row).await?);
    }
    Ok(lines)
}

pub async fn list(signed: Signed) -> Answer {
    let console = signed.console();
    if let Some(why) = console.would(&signed.caller, Action::ViewChanges, None, Situation::default()) {
        return Err(Error::Refused(why).into());
    }
    let shell = signed.shell("/controls").await?;
    let mut words = Words { signed: &signed, names: Names::default() };
    let mut db = console.read().await?;
    let (mut open, mut ended) = (Vec::new(), Vec::new());
    for row in controls::store::open(&mut db, console.now(), console.seal_key()).await? {
        open.push(line(&mut words, &mut db, &row).await?);
    }
    for row in controls::store::ended(&mut db, 100, console.seal_key()).await? {
        ended.push(line(&mut words, &mut db, &row).await?);
    }
    Ok(shown(page::list(&shell, open, ended)))
}

pub async fn one(signed: Signed, Path(id): Path<String>) -> Answer {
    Ok(shown(one_page(&signed, &id, &Form::default()).await?))
}

async fn one_page(signed: &Signed, id: &str, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/controls").await?;
    let mut db = console.read().await?;
    let row = controls::store::find(&mut db, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let me = signed.caller.id();
    let concerns = row.proposed_by == me || row.person_id.as_deref() == Some(me);
    let situation = Situation { own: concerns, ..Situation::default() };
    if console.would(&signed.caller, Action::ViewChanges, None, situation).is_some() {
        return Err(Error::NotFound);
    }
    let change = row.change().ok_or(Error::Unavailable)?;
    let former = row.former();
    let mut words = Words { signed, names: Names::default() };
    let others = crate::people::providers::store::providers(&mut db, console.seal_key()).await?.len();
    let gains = row.person_id.as_deref();
    let seconds = controls::candidates(console, &mut db, &row.proposed_by, gains, change.team()).await?;
    let mine = seconds.iter().find(|(person, _)| person.id == me).map(|(_, may)| may.err());
    let decided_by = match &row.decided_by {
        Some(by) => Some(words.person(&mut db, by).await?),
        None => None,
    };
    let waits = row.outcome(console.now()).is_none();
    let written = match &former {
        Some(Control::Policy { text, .. }) => text.as_str(),
        _ => "",
    };
    // A what-if reads the trail by itself: no connection is kept meanwhile.
    drop(db);
    let policy = match &change {
        Change::SetPolicy { policy, slug, text, .. } => {
            let wanted = Some((slug.as_str(), text.as_str()));
            Some(super::policies::proposed(signed, &mut words.names, policy, written, wanted, waits).await?)
        }
        Change::RemovePolicy { policy } => {
            Some(super::policies::proposed(signed, &mut words.names, policy, written, None, waits).await?)
        }
        _ => None,
    };
    let mut db = console.read().await?;
    let view = page::Proposal {
        policy,
        line: line(&mut words, &mut db, &row).await?,
        shifts: words.shifts(&mut db, former.as_ref(), &change).await?,
        means: means(&change, others, &shell.levels),
        seconds: seconds.into_iter().map(|(person, may): (store::Person, _)| (person.name, may.err())).collect(),
        own: row.proposed_by == me,
        may_not: mine.unwrap_or(Some(Refusal::NotAnApprover)),
        digest: row.digest,
        decided_by,
        ended_at: row.ended_at,
        comment: row.comment,
    };
    Ok(page::one(&shell, view, form))
}

pub async fn decide(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let (console, caller) = (signed.console(), &signed.caller);
    let (digest, comment) = (fields.get("digest").to_owned(), fields.get("comment").to_owned());
    let (action, answered) = match fields.get("answer") {
        "confirm" => (Action::ConfirmChange, controls::confirm_change(console, caller, &id, &digest).await),
        "decline" => (Action::DeclineChange, controls::decline_change(console, caller, &id, &digest, &comment).await),
        _ => return Err(Error::invalid("answer", "Confirm it or decline it.").into()),
    };
    match answered {
        Ok(receipt) => Ok(done(&format!("/controls/{id}"), action, receipt)),
        Err(error) => Ok(mistaken(one_page(&signed, &id, &fields.again(error, &[])?).await?)),
    }
}

pub async fn withdraw(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = controls::withdraw_change(signed.console(), &signed.caller, &id).await?;
    Ok(done(&format!("/controls/{id}"), Action::WithdrawChange, receipt))
}
