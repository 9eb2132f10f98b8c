//! What a query means here: names become ids, words the terms that begin with them, times places in the trail.
use super::{Condition, Filter, Group, Place, Reading, store, term};
use crate::{
    audit::store as ledger,
    catalog,
    console::Console,
    db::Sql,
    people::{self, Caller},
    workloads,
};
use app::{
    audit::{
        action::Action,
        leaf::Outcome,
        query::{Key, Mistake, Query, Term, Window, nearest, split_words},
    },
    error::{Error, Refusal},
    policies::model::Tier,
    time::Moment,
};
use chrono::{NaiveDateTime, TimeZone};
use chrono_tz::Tz;

/// How many things a name, a path or the beginning of a word may stand for.
const MOST: usize = 500;
const MOST_WORDS: u32 = 20;

/// Why a query has no filter.
#[derive(Debug)]
pub enum Asked {
    Mistake(Mistake),
    Error(Error),
}

impl From<Error> for Asked {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<crate::db::Error> for Asked {
    fn from(error: crate::db::Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<Mistake> for Asked {
    fn from(mistake: Mistake) -> Self {
        Self::Mistake(mistake)
    }
}

impl From<Asked> for Error {
    /// For those who have one field for it.
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Mistake(mistake) => Self::invalid("q", mistake.to_string()),
            Asked::Error(error) => error,
        }
    }
}

struct Resolving<'a, D> {
    /// What words like today are relative to.
    now: Moment,
    console: &'a Console,
    caller: &'a Caller,
    reading: &'a Reading,
    db: &'a mut D,
}

/// Finds out what a query means for somebody who may read so much of the trail.
pub async fn resolve(
    console: &Console,
    db: &mut impl Sql,
    caller: &Caller,
    reading: &Reading,
    query: &Query,
    zone: Tz,
) -> Result<Filter, Asked> {
    resolve_at(console, db, caller, reading, query, zone, console.now()).await
}

/// The same as it was meant at a time: today is the day of then.
pub async fn resolve_at(
    console: &Console,
    db: &mut impl Sql,
    caller: &Caller,
    reading: &Reading,
    query: &Query,
    zone: Tz,
    now: Moment,
) -> Result<Filter, Asked> {
    let size = ledger::size(db).await?;
    if let Some(second) = query.of(Key::Created).filter(|term| !term.negated).nth(1) {
        return Err(second.wrong("One span of time at once: put both ends into one created:.").into());
    }
    let mut resolving = Resolving { console, caller, reading, db, now };
    let mut filter = Filter { to: size, reading: reading.clone(), ..Filter::default() };
    if let Reading::Projects(led) | Reading::Period { projects: Some(led), .. } = reading {
        filter.groups.push(only(vec![Condition::Text(Place::Project, led.clone())]));
    }
    if let Reading::Period { period, .. } = reading {
        filter.from = ledger::first_at(resolving.db, period.from).await?;
        filter.to = ledger::first_at(resolving.db, period.until).await?.min(size);
        filter.since = Some(period.from);
        filter.until = Some(period.until);
    }
    for key in Key::ALL.iter().filter(|key| **key != Key::Created) {
        let mut any = Vec::new();
        for term in query.of(*key) {
            let meant = resolving.meaning(*key, term).await?;
            if term.negated {
                filter.groups.push(Group { negated: true, any: meant.into_iter().map(|one| vec![one]).collect() });
            } else {
                any.extend(meant);
            }
        }
        if !any.is_empty() {
            filter.groups.push(Group { negated: false, any: merged(any).into_iter().map(|one| vec![one]).collect() });
        }
    }
    for term in query.terms.iter().filter(|term| term.key.is_none()) {
        let all = resolving.words(term).await?;
        if term.negated {
            filter.groups.push(Group { negated: true, any: vec![all] });
        } else {
            filter.groups.extend(all.into_iter().map(|one| only(vec![one])));
        }
    }
    for term in query.of(Key::Created) {
        let ((since, until), from, to) = resolving.window(term, zone).await?;
        if term.negated {
            filter.groups.push(Group { negated: true, any: vec![vec![Condition::Between(from, to.unwrap_or(size))]] });
        } else {
            filter.from = filter.from.max(from);
            filter.to = filter.to.min(to.unwrap_or(size));
            filter.since = filter.since.max(since);
            filter.until = filter.until.into_iter().chain(until).min();
        }
    }
    // Numbers of events bound the trail as times do.
    let numbered: Vec<(u64, u64)> = filter
        .groups
        .iter()
        .filter(|group| !group.negated)
        .filter_map(|group| match group.any.as_slice() {
            [all] => match all.as_slice() {
                [Condition::Between(from, to)] => Some((*from, *to)),
                _ => None,
            },
            _ => None,
        })
        .collect();
    for (from, to) in numbered {
        (filter.from, filter.to) = (filter.from.max(from), filter.to.min(to));
    }
    filter.from = filter.from.min(filter.to);
    Ok(filter)
}

fn only(all: Vec<Condition>) -> Group {
    Group { negated: false, any: vec![all] }
}

/// Alternatives of one place are one condition: an index serves them together.
fn merged(any: Vec<Condition>) -> Vec<Condition> {
    let mut merged: Vec<Condition> = Vec::new();
    for condition in any {
        let at = merged.iter_mut().find(|known| match (known, &condition) {
            (Condition::Text(place, _), Condition::Text(other, _)) => place == other,
            (Condition::Terms(_), Condition::Terms(_)) => true,
            _ => false,
        });
        match (at, condition) {
            (Some(Condition::Text(_, values)), Condition::Text(_, more)) => values.extend(more),
            (Some(Condition::Terms(ids)), Condition::Terms(more)) => ids.extend(more),
            (_, condition) => merged.push(condition),
        }
    }
    for condition in &mut merged {
        match condition {
            Condition::Text(_, values) => {
                values.sort_unstable();
                values.dedup();
            }
            Condition::Terms(ids) => {
                ids.sort_unstable();
                ids.dedup();
            }
            Condition::Nothing | Condition::Between(..) => {}
        }
    }
    merged
}

impl<D: Sql> Resolving<'_, D> {
    /// What one term may mean: any of these.
    async fn meaning(&mut self, key: Key, term: &Term) -> Result<Vec<Condition>, Asked> {
        let value = term.value.as_str();
        let exactly = |place| Ok(vec![Condition::Text(place, vec![value.to_owned()])]);
        match key {
            Key::Action => Ok(vec![Condition::Text(Place::Action, actions(term)?)]),
            Key::Actor => self.actor(term).await,
            Key::ActorType => match value {
                "person" | "workload" | "system" | "anonymous" => exactly(Place::ActorKind),
                _ => Err(term.wrong("person, workload, system or anonymous.").into()),
            },
            Key::Project => Ok(vec![Condition::Text(Place::Project, vec![self.project(term).await?])]),
            Key::Env => {
                let found = self.environments(term).await?;
                Ok(vec![if found.is_empty() { Condition::Nothing } else { Condition::Text(Place::Environment, found) }])
            }
            Key::Secret => Ok(vec![Condition::Text(Place::Secret, self.secrets(term).await?)]),
            Key::Outcome => match Outcome::from_code(value) {
                Some(_) => exactly(Place::Outcome),
                None => Err(term.wrong("allowed, refused or failed.").into()),
            },
            Key::Reason => {
                let known = Refusal::ALL.iter().map(|refusal| refusal.code());
                match known.clone().find(|code| *code == value) {
                    Some(_) => exactly(Place::Reason),
                    None => Err(term.wrong(unknown("reason", value, known)).into()),
                }
            }
            Key::Request => exactly(Place::Request),
            Key::Grant => self.terms(term::GRANT, value).await,
            Key::Policy => self.terms(term::POLICY, value).await,
            Key::Session => self.terms(term::SESSION, value).await,
            Key::Row => self.terms(term::ROW, value).await,
            Key::Ip => self.address(term).await,
            Key::Workload => {
                let id = self.workload(term).await?;
                let mut any = self.terms(term::WORKLOAD, &id).await?;
                any.push(Condition::Text(Place::Actor, vec![id]));
                Ok(any)
            }
            Key::Person => {
                let id = self.person(term).await?;
                self.terms(term::PERSON, &id).await
            }
            Key::Event => events(term),
            Key::Created => Ok(Vec::new()),
        }
    }

    /// An id that has no column.
    async fn terms(&mut self, kind: &str, id: &str) -> Result<Vec<Condition>, Asked> {
        let found = store::numbers(self.db, &[format!("{kind}{id}")]).await?;
        Ok(vec![numbered(found)])
    }

    async fn words(&mut self, term: &Term) -> Result<Vec<Condition>, Asked> {
        let mut all = Vec::new();
        for word in split_words(&term.value) {
            let found = store::beginning(self.db, &format!("{}{word}", term::WORD), MOST_WORDS + 1).await?;
            // The word itself is always meant; of those that it begins, as many as can be looked for.
            if found.len() > MOST_WORDS as usize {
                let exact = store::numbers(self.db, &[format!("{}{word}", term::WORD)]).await?;
                if exact.is_empty() {
                    return Err(term.wrong(format!("Too many words begin with {word}. Write more of it.")).into());
                }
                all.push(numbered(exact));
            } else {
                all.push(numbered(found));
            }
        }
        Ok(all)
    }

    async fn address(&mut self, term: &Term) -> Result<Vec<Condition>, Asked> {
        let Some(beginning) = term.value.strip_suffix('*') else {
            let Ok(address) = term.value.parse::<std::net::IpAddr>() else {
                return Err(term.wrong("An address: 10.20.4.31, 2001:db8::1, or its beginning with * behind.").into());
            };
            return self.terms(term::ADDRESS, &address.to_canonical().to_string()).await;
        };
        let found = store::beginning(self.db, &format!("{}{beginning}", term::ADDRESS), MOST as u32 + 1).await?;
        if found.len() > MOST {
            return Err(term.wrong(format!("More than {MOST} addresses begin so. Write more of it.")).into());
        }
        Ok(vec![numbered(found)])
    }

    async fn actor(&mut self, term: &Term) -> Result<Vec<Condition>, Asked> {
        let value = term.value.as_str();
        if value == "system" || value == "anonymous" {
            return Ok(vec![Condition::Text(Place::ActorKind, vec![value.to_owned()])]);
        }
        let id = match self.find_person(value).await? {
            Some(id) => id,
            None => match self.find_workload(value).await? {
                Some(id) => id,
                // A job of the service itself is known by its name alone.
                None if value.contains('-') || value == "rotate" || value == "heartbeat" => value.to_owned(),
                None if self.looks_back() => value.to_owned(),
                None => return Err(term.wrong(format!("Nobody is called {value} here.")).into()),
            },
        };
        Ok(vec![Condition::Text(Place::Actor, vec![id])])
    }

    async fn find_person(&mut self, value: &str) -> Result<Option<String>, Asked> {
        if value == "me" {
            return Ok(Some(self.caller.id().to_owned()));
        }
        if value.starts_with("per_") {
            return Ok(Some(value.to_owned()));
        }
        let people = people::store::list(self.db).await?;
        let folded = value.to_lowercase();
        let called = |person: &&people::store::Person| {
            person.login.eq_ignore_ascii_case(value) || person.name.to_lowercase() == folded
        };
        Ok(people.iter().find(called).map(|person| person.id.clone()))
    }

    async fn person(&mut self, term: &Term) -> Result<String, Asked> {
        let found = self.find_person(&term.value).await?;
        found.ok_or_else(|| term.wrong(format!("Nobody is called {} here.", term.value)).into())
    }

    async fn find_workload(&mut self, value: &str) -> Result<Option<String>, Asked> {
        if value.starts_with("wkl_") {
            return Ok(Some(value.to_owned()));
        }
        let all = workloads::store::list(self.db, self.console.seal_key()).await?;
        let seen = |project: &str| self.reading.covers(Some(project));
        Ok(all.iter().find(|row| row.slug == value && seen(&row.project_id)).map(|row| row.id.clone()))
    }

    async fn workload(&mut self, term: &Term) -> Result<String, Asked> {
        let found = self.find_workload(&term.value).await?;
        if found.is_none() && self.looks_back() {
            return Ok(term.value.clone());
        }
        found.ok_or_else(|| term.wrong(format!("No workload is called {} here.", term.value)).into())
    }

    /// Whoever audits a period learns from no answer what is there today: what is not there is searched for like what is.
    fn looks_back(&self) -> bool {
        matches!(self.reading, Reading::Period { .. })
    }

    async fn project(&mut self, term: &Term) -> Result<String, Asked> {
        let value = term.value.as_str();
        let projects = catalog::store::projects(self.db).await?;
        let seen: Vec<_> = projects.iter().filter(|project| self.reading.covers(Some(&project.id))).collect();
        let found = seen.iter().find(|project| project.slug == value || project.id == value);
        if found.is_none() && self.looks_back() {
            return Ok(value.to_owned());
        }
        found.map(|project| project.id.clone()).ok_or_else(|| {
            term.wrong(unknown("project", value, seen.iter().map(|project| project.slug.as_str()))).into()
        })
    }

    async fn environments(&mut self, term: &Term) -> Result<Vec<String>, Asked> {
        let value = term.value.as_str();
        let all = catalog::store::all_environments(self.db, self.console.seal_key()).await?;
        let seen: Vec<_> = all.iter().filter(|row| self.reading.covers(Some(&row.project_id))).collect();
        let named: Vec<String> = seen
            .iter()
            .filter(|row| row.id == value || row.slug == value || row.tier().code() == value)
            .map(|row| row.id.clone())
            .collect();
        if named.is_empty() && self.looks_back() {
            return Ok(vec![value.to_owned()]);
        }
        if named.is_empty() && Tier::from_code(value).is_none() {
            let names = seen.iter().map(|row| row.slug.as_str());
            return Err(term.wrong(unknown("environment", value, names)).into());
        }
        Ok(named)
    }

    async fn secrets(&mut self, term: &Term) -> Result<Vec<String>, Asked> {
        let value = term.value.as_str();
        if value.starts_with("sec_") {
            return Ok(vec![value.to_owned()]);
        }
        let folded = value.to_ascii_lowercase();
        let (beginning, exact) = match folded.strip_suffix('*') {
            Some(beginning) => (beginning, false),
            None => (folded.as_str(), true),
        };
        if beginning.contains('*') {
            return Err(term.wrong("A * stands at the end of a path only.").into());
        }
        let found = catalog::store::at_path(self.db, beginning, exact, MOST as u32 + 1).await?;
        if found.len() > MOST && self.looks_back() {
            return Err(term.wrong("Write more of the path.").into());
        }
        if found.len() > MOST {
            return Err(term.wrong(format!("More than {MOST} secrets have such a path. Write more of it.")).into());
        }
        let seen: Vec<String> =
            found.into_iter().filter(|(_, project)| self.reading.covers(Some(project))).map(|(id, _)| id).collect();
        if seen.is_empty() && self.looks_back() {
            return Ok(vec![value.to_owned()]);
        }
        if seen.is_empty() {
            return Err(term.wrong(format!("No secret has the path {value} here.")).into());
        }
        Ok(seen)
    }

    /// From which place to which.
    async fn window(&mut self, term: &Term, zone: Tz) -> Result<(Bounds, u64, Option<u64>), Asked> {
        let now = self.now;
        let today = now.with_timezone(&zone).date_naive();
        let window = Window::parse(&term.value).map_err(|why| term.wrong(why))?;
        let bounds = window.bounds(now, today, &|at| on_the_wall(zone, at)).map_err(|why| term.wrong(why))?;
        let from = match bounds.0 {
            Some(from) => ledger::first_at(self.db, from).await?,
            None => 0,
        };
        let to = match bounds.1 {
            Some(to) => Some(ledger::first_at(self.db, to).await?),
            None => None,
        };
        Ok((bounds, from, to))
    }
}

/// From when to when.
type Bounds = (Option<Moment>, Option<Moment>);

/// When a clock of a zone shows a time: the first time where it shows it twice, the end of the gap where it never does.
pub fn on_the_wall(zone: Tz, at: NaiveDateTime) -> Moment {
    let mut tried = at;
    // No zone ever skipped more than a day.
    for _ in 0..=96 {
        if let Some(found) = zone.from_local_datetime(&tried).earliest() {
            return found.to_utc();
        }
        tried += chrono::TimeDelta::minutes(15);
    }
    at.and_utc()
}

fn numbered(found: Vec<(String, i64)>) -> Condition {
    if found.is_empty() {
        return Condition::Nothing;
    }
    Condition::Terms(found.into_iter().map(|(_, id)| id).collect())
}

fn unknown<'n>(what: &str, value: &str, names: impl Iterator<Item = &'n str>) -> String {
    match nearest(value, names) {
        Some(near) => format!("There is no {what} {value} here. Did you mean {near}?"),
        None => format!("There is no {what} {value} here."),
    }
}

/// Codes of actions: one by its whole code, those of a kind by `kind.*`, those of a name by what stands behind the dot.
fn actions(term: &Term) -> Result<Vec<String>, Mistake> {
    let value = term.value.as_str();
    let fits = |code: &&str| match value.strip_suffix(".*").or(value.strip_suffix('*')) {
        Some(kind) => code.starts_with(kind) && (!value.ends_with(".*") || code[kind.len()..].starts_with('.')),
        None => *code == value || code.split_once('.').is_some_and(|(_, name)| name == value),
    };
    let codes = Action::ALL.iter().map(|action| action.code());
    let found: Vec<String> = codes.clone().filter(fits).map(ToOwned::to_owned).collect();
    if found.is_empty() {
        let names = codes.clone().chain(codes.filter_map(|code| Some(code.split_once('.')?.1)));
        return Err(term.wrong(unknown("action", value, names)));
    }
    Ok(found)
}

fn events(term: &Term) -> Result<Vec<Condition>, Asked> {
    let number = |text: &str| text.parse::<u64>().ok().filter(|seq| *seq < 1 << 53);
    let bounds = match term.value.split_once("..") {
        Some((from, to)) => number(from).zip(number(to)),
        None => number(&term.value).map(|seq| (seq, seq)),
    };
    match bounds {
        Some((from, to)) if from <= to => Ok(vec![Condition::Between(from, to + 1)]),
        Some(_) => Err(term.wrong("The first number is after the last.").into()),
        None => Err(term.wrong("The number of an event, or two with .. between.").into()),
    }
}
