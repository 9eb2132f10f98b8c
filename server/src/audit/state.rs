//! `countersign audit verify --state`: every row that opens access against its seal and against its last event.
//!
//! A row that somebody inserted or changed in the database fails its seal. A row that was put back to an older state holds
//! its seal, but a later event wrote it. A row that was deleted is named by an event and is nowhere. The service makes the same
//! comparison every hour ([`watch`]): a contradiction notifies administrators and turns readiness red. Between two comparisons it goes on reading the trail
//! ([`follow`]): a row that is older than its last event opens nothing.
use super::{
    builder::Head,
    event::Event,
    event_seal,
    heard::{News, Writes, Written},
    row_seal::{SealKey, SealedRow, holds},
    store::SealedLeaf,
};
use crate::{
    config::Config,
    console::Console,
    db::{Db, Row, Sql, Statement},
    instance,
    keys::Secret as Key,
    notifications, people,
};
use app::{
    audit::{
        action::Action,
        leaf::{Leaf, Outcome, Subject},
        tree::{Frontier, leaf_hash},
    },
    error::Error,
    time::Moment,
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

/// What an approval says that approved less than was asked for.
const NARROWED: &str = "narrowed_from";

/// The same for a whole event: approving less rewrites the request's terms.
pub(super) fn rows_of(action: Action, subject: &Subject, is_narrowed: bool) -> Vec<(&'static str, &String)> {
    let mut rows = written(action, subject);
    if action == Action::ApproveRequest && is_narrowed {
        rows.extend(subject.request.as_ref().map(|id| ("access_requests", id)));
    }
    rows
}

/// The same for an event that is about to be written.
pub(super) fn rows_written(event: &Event) -> Vec<(&'static str, &String)> {
    rows_of(event.action, &event.subject, event.detail.contains_key(NARROWED))
}

/// Rows that only the seals of a change name, or only its events: the trail would later say otherwise than the row.
pub(super) fn at_odds<'a>(
    sealed: impl Iterator<Item = (&'static str, &'a str)>,
    events: &'a [Event],
) -> Vec<(&'static str, &'a str)> {
    let allowed = events.iter().filter(|event| event.outcome == Outcome::Allowed);
    let named = allowed.flat_map(rows_written);
    let named: BTreeSet<(&str, &str)> = named.map(|(table, id)| (table, id.as_str())).collect();
    let sealed: BTreeSet<(&str, &str)> = sealed.collect();
    named.symmetric_difference(&sealed).copied().collect()
}

/// How long there is between two comparisons of all rows at most.
const MOST_BETWEEN: Duration = Duration::from_secs(3600);

/// Rows and events that one read takes.
const CHUNK: u64 = 2000;

/// Contradictions that a running service keeps by name; the rest are counted.
const NAMED: usize = 1000;

#[derive(Clone, Debug, Default)]
pub struct Checked {
    pub rows: u64,
    pub wrong: Vec<String>,
    /// Contradictions beside those.
    pub more: u64,
    /// How many are named.
    named: usize,
    /// Rows that name an event which was not read yet.
    ahead: Vec<(u64, String)>,
}

impl Checked {
    fn naming(named: usize) -> Self {
        Self { named, ..Self::default() }
    }

    fn finds(&mut self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            match self.wrong.len() < self.named {
                true => self.wrong.push(line),
                false => self.more += 1,
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.wrong.len() as u64 + self.more
    }
}

/// Which rows an event writes: the table and the id.
pub(super) fn written<'a>(action: Action, subject: &'a Subject) -> Vec<(&'static str, &'a String)> {
    use Action::*;
    let both = |one: (&'static str, &'a Option<String>), other: (&'static str, &'a Option<String>)| {
        [one, other].into_iter().filter_map(|(table, id)| Some((table, id.as_ref()?))).collect()
    };
    let (table, id) = match action {
        InvitePerson | JoinOrganisation | ChangePassword | ResetPassword => {
            return both(("people", &subject.person), ("links", &subject.row));
        }
        CloseLink => ("links", &subject.row),
        DisablePerson | EnablePerson => ("people", &subject.person),
        AssignRole | RemoveRole => ("roles", &subject.row),
        AddMember | RemoveMember => ("memberships", &subject.row),
        ProposeChange | ConfirmChange | DeclineChange | WithdrawChange | ExpireChange | OvertakeChange => {
            ("control_changes", &subject.row)
        }
        SetLevel | SupersedeLevel => ("levels", &subject.row),
        SetPolicy | RemovePolicy => ("policies", &subject.row),
        SetProvider | RemoveProvider => ("identity_providers", &subject.row),
        SetGroupRule | RemoveGroupRule => ("group_rules", &subject.row),
        NameEmergency | UnnameEmergency => ("emergency_accounts", &subject.row),
        Delegate | EndDelegation => ("delegations", &subject.row),
        LinkIdentity | UnlinkIdentity | ReadGroups => {
            // Linking marks the person too; the other two leave them as they are.
            let person = if action == LinkIdentity { &subject.person } else { &None };
            return both(("identities", &subject.row), ("people", person));
        }
        EnrolFactor | RenewCodes => return both(("factors", &subject.row), ("people", &subject.person)),
        RemoveFactor | ProveFactor => ("factors", &subject.row),
        ResetFactors => ("people", &subject.person),
        SignIn | SignOut | EndSession => ("session_bindings", &subject.row),
        CreateAccessToken | EndAccessToken => ("access_tokens", &subject.row),
        CreateProject => ("projects", &subject.project),
        CreateEnvironment => ("environments", &subject.environment),
        CreateSecret | EditSecret | MoveSecret | ArchiveSecret | WriteVersion | DeleteVersion | UndeleteVersion
        | ScheduleDestruction | DestroyVersion => ("secrets", &subject.secret),
        SubmitRequest | WithdrawRequest | ExpireRequest | VoidRequest => ("access_requests", &subject.request),
        ApproveRequest | DecideLate | VoidDecision => ("decisions", &subject.row),
        DenyRequest => return both(("decisions", &subject.row), ("access_requests", &subject.request)),
        IssueGrant => return both(("grants", &subject.grant), ("access_requests", &subject.request)),
        RevokeGrant | GiveBackGrant | SuspendGrant | ResumeGrant | EndGrant => ("grants", &subject.grant),
        ConfigureRotation | ConfirmPlan => ("rotation_plans", &subject.row),
        CreatePending | PromoteVersion | RollBack => {
            return both(("rotations", &subject.row), ("secrets", &subject.secret));
        }
        PauseRotation | ResumeRotation => ("rotation_plans", &subject.row),
        SetDefault => ("rotation_defaults", &subject.row),
        OpenCase | MoveCase | CloseCase | ReopenCase | CancelCase | ContainCase => ("rotation_cases", &subject.row),
        StartRotation | ApproveRotation | CancelRotation | CutOff | WithdrawNew | IntendSet | SetOnTarget
        | VerifyNew | IntendDisable | DisableOld | ProveDead | ReopenRotation | FailStep | AskPerson
        | ResolveRotation | SupersedeRotation | CloseRotation => ("rotations", &subject.row),
        CreateWorkload | DisableWorkload => ("workloads", &subject.workload),
        IssueCredential | RevokeCredential => ("credentials", &subject.row),
        IssueToken | RevokeToken => ("tokens", &subject.row),
        _ => return Vec::new(),
    };
    id.iter().map(|id| (table, id)).collect()
}

/// Checks with the key files that the settings name.
pub async fn run(config: &Config, db: &Db) -> Result<Checked, instance::Error> {
    let keys = instance::keys(config, db).await?;
    let mut trail = Trail { found: Checked::naming(usize::MAX), ..Trail::of(keys.row_seal) };
    trail.catch_up(db, Some(&keys.event_seal), Head::default()).await?;
    trail.look_between(db).await?;
    Ok(trail.compare(db).await?)
}

/// Compares everything once.
pub async fn check(db: &Db, key: &SealKey) -> crate::db::Result<Checked> {
    let mut trail = Trail::of(key.apart());
    trail.catch_up(db, None, Head::default()).await?;
    trail.compare(db).await
}

/// Reads what events say of rows, one after the other.
#[derive(Default)]
pub(super) struct Reading {
    /// Where the change begins that the last event belongs to, and its time: the events of one change share it.
    change: (u64, Moment),
}

impl Reading {
    /// The rows that one event writes.
    pub(super) fn news(&mut self, seq: u64, leaf: &[u8], heard: Instant) -> Vec<News> {
        let Ok(leaf) = Leaf::decode(leaf) else { return Vec::new() };
        if leaf.at != self.change.1 {
            self.change = (seq, leaf.at);
        }
        let Some(action) = Action::from_code(&leaf.action).filter(|_| leaf.outcome == Outcome::Allowed) else {
            return Vec::new();
        };
        let written = Written { first: self.change.0, by: seq, heard };
        let rows = rows_of(action, &leaf.subject, leaf.detail.contains_key(NARROWED));
        rows.into_iter().map(|(table, id)| (table, id.clone(), written)).collect()
    }
}

/// What the trail says of rows, as far as it was read: it is read on from there, and the rows are compared again.
pub struct Trail {
    key: SealKey,
    /// The events that were read.
    tree: Frontier,
    reading: Reading,
    /// What is wrong with the trail itself.
    found: Checked,
    /// It cannot be read on: what lies there is not what this service wrote.
    broken: bool,
    /// When the rows are compared next: a hundredth of the time at most goes into it, and an hour at most lies between.
    next_look: Instant,
}

impl Trail {
    /// From its beginning; every copy of the key knows what it says.
    pub fn of(key: SealKey) -> Self {
        Self {
            key,
            tree: Frontier::default(),
            reading: Reading::default(),
            found: Checked::naming(NAMED),
            broken: false,
            next_look: Instant::now(),
        }
    }

    fn next(&self) -> u64 {
        self.tree.size()
    }

    fn breaks(&mut self, why: String) {
        self.found.finds([why]);
        self.broken = true;
    }

    /// Reads the events that came since, as far as the ledger's head. With the key of their seals: one that this service did not write
    /// says nothing of any row. With a head: they have to be those that were signed.
    pub async fn catch_up(&mut self, db: &Db, seal: Option<&Key>, head: Head) -> crate::db::Result<()> {
        let size = super::store::size(&mut db.read().await?).await?;
        if size < self.next() && !self.broken {
            self.breaks(format!("the events from {size} on are gone"));
        }
        while self.next() < size && !self.broken {
            let to = size.min(self.next() + CHUNK);
            let read = super::store::sealed_leaves(&mut db.read().await?, self.next(), to, CHUNK).await;
            match read {
                Ok(leaves) => self.take(leaves, to, seal, head),
                Err(error) if error.is_undecodable() => {
                    self.breaks(format!("events {} to {} cannot be read: {error}", self.next(), to - 1));
                }
                Err(error) => return Err(error),
            }
        }
        if !self.broken {
            self.key.heard().was_read();
        }
        Ok(())
    }

    /// Looks for what stands between this service and its tables: nothing that is read or written there can be relied on.
    async fn look_between(&mut self, db: &Db) -> crate::db::Result<()> {
        if self.broken {
            return Ok(());
        }
        for what in db.in_between().await? {
            self.breaks(format!("{what}: no version of this service put that there"));
        }
        Ok(())
    }

    fn take(&mut self, leaves: Vec<SealedLeaf>, to: u64, seal: Option<&Key>, head: Head) {
        let mut news = Vec::new();
        let mut leaves = leaves.into_iter();
        while self.next() < to && !self.broken {
            let seq = self.next();
            let Some(SealedLeaf { leaf, seal: kept, .. }) = leaves.next().filter(|leaf| leaf.seq as u64 == seq) else {
                self.breaks(format!("event {seq} is missing"));
                break;
            };
            let (hash, promised) = (leaf_hash(&leaf), self.key.heard().promised(seq));
            if promised.is_some_and(|promised| promised != hash) {
                self.breaks(format!("event {seq} is not the one that was committed there"));
                break;
            }
            self.tree.push(hash);
            if self.next() == head.size && self.tree.root() != head.root {
                self.breaks(format!("the first {} events are not those that were signed", head.size));
                break;
            }
            if seal.is_some_and(|key| !event_seal::holds(key, seq, &leaf, kept.as_deref())) {
                self.found.finds([format!("event {seq} fails its seal: this service did not write it")]);
                continue;
            }
            let heard = self.key.heard().now();
            news.extend(self.reading.news(seq, &leaf, heard));
        }
        let next = self.next();
        let mut heard = self.key.heard();
        heard.hear(news, next);
        heard.read_back(next);
    }

    /// Every row of every sealed table.
    pub async fn compare(&self, db: &Db) -> crate::db::Result<Checked> {
        // Every row there ever was: not on a thread that answers.
        let key = self.key.clone();
        let mut writes = tokio::task::spawn_blocking(move || key.heard().writes().clone()).await.unwrap_or_default();
        let mut checked = self.found.clone();
        macro_rules! walk {
            ($($row:ty,)*) => { $(self.table::<$row>(db, &mut writes, &mut checked).await?;)* };
        }
        crate::sealed_tables!(walk);
        // What was written while the rows were compared is in the trail by now.
        let size = super::store::size(&mut db.read().await?).await?;
        let ahead = std::mem::take(&mut checked.ahead).into_iter().filter(|(seq, _)| *seq >= size);
        checked
            .finds(ahead.map(|(seq, row)| format!("{row} names event {seq}, which there is not")).collect::<Vec<_>>());
        // A table that is not walked over above would hide here.
        checked.finds(writes.into_iter().flat_map(|(table, rows)| missing(table, rows)));
        Ok(checked)
    }

    async fn table<R: SealedRow + Row>(
        &self,
        db: &Db,
        writes: &mut Writes,
        checked: &mut Checked,
    ) -> crate::db::Result<()> {
        let mut writes = writes.remove(R::TABLE).unwrap_or_default();
        let mut after = String::new();
        loop {
            let mut statement = Statement::from(R::SELECT);
            statement.push(" WHERE id > $1 ORDER BY id LIMIT 2000");
            let rows: crate::db::Result<Vec<R>> = db.read().await?.sql(statement).bind(after.clone()).all().await;
            let rows = match rows {
                Err(error) if error.is_undecodable() => readable(db, &mut after, &mut writes, checked).await?,
                Ok(rows) => {
                    let last = rows.last().map(|row: &R| row.id().to_owned());
                    (rows, last.inspect(|last| after.clone_from(last)).is_some())
                }
                Err(error) => return Err(error),
            };
            let (rows, more) = rows;
            for row in rows {
                checked.rows += 1;
                let last = writes.remove(row.id());
                let seq = row.seal().0 as u64;
                if holds(&row, &self.key) && seq >= self.next() {
                    checked.ahead.push((seq, format!("{}: {}", R::TABLE, row.id())));
                    continue;
                }
                checked.finds(self.wrong(&row, last).map(|what| format!("{}: {} {what}", R::TABLE, row.id())));
            }
            if !more {
                break;
            }
        }
        checked.finds(missing(R::TABLE, writes));
        Ok(())
    }

    /// How a row contradicts its seal or the trail.
    fn wrong<R: SealedRow>(&self, row: &R, last: Option<Written>) -> Option<String> {
        if !holds(row, &self.key) {
            return Some("fails its seal: it was not written by this service".into());
        }
        let seq = row.seal().0 as u64;
        match last {
            None => Some(format!("names event {seq}, which says nothing of it")),
            Some(last) if last.wrote(seq) => None,
            Some(last) => Some(format!("is as event {seq} left it, but event {} wrote it last", last.by)),
        }
    }
}

/// Those of the next rows that can be read, where not all can; false at the end. What cannot is a contradiction.
async fn readable<R: SealedRow + Row>(
    db: &Db,
    after: &mut String,
    writes: &mut HashMap<String, Written>,
    checked: &mut Checked,
) -> crate::db::Result<(Vec<R>, bool)> {
    let ids: crate::db::Result<Vec<(String,)>> = db.read().await?.sql(R::IDS).bind(after.clone()).all().await;
    let ids = match ids {
        Err(error) if error.is_undecodable() => {
            checked
                .finds([format!("{}: a row has an id that is none; the rest of the table was not compared", R::TABLE)]);
            return Ok((Vec::new(), false));
        }
        other => other?,
    };
    let mut rows = Vec::new();
    for (id,) in &ids {
        let mut statement = Statement::from(R::SELECT);
        statement.push(" WHERE id = $1");
        match db.read().await?.sql(statement).bind(id.clone()).optional().await {
            Ok(row) => rows.extend(row),
            Err(error) if error.is_undecodable() => {
                writes.remove(id);
                checked.finds([format!("{}: {id} cannot be read: this service did not write it", R::TABLE)]);
            }
            Err(error) => return Err(error),
        }
    }
    if let Some((last,)) = ids.last() {
        after.clone_from(last);
    }
    Ok((rows, !ids.is_empty()))
}

/// Rows that an event names and that are nowhere.
fn missing(table: &str, rows: HashMap<String, Written>) -> Vec<String> {
    let lines = rows.into_iter().map(|(id, last)| format!("{table}: {id} is missing, which event {} wrote", last.by));
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

/// What the service's own comparison found last.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub checked: Arc<Checked>,
    pub at: Option<Moment>,
    /// Why the trail or the rows could not be read now.
    pub trouble: Option<String>,
}

/// Reads on in the trail: a row that is not as its last event left it opens nothing from now on.
pub async fn follow(console: &Console, trail: &mut Trail) -> Result<(), Error> {
    let head = console.builder.trusted().await;
    let read = trail.catch_up(console.db(), Some(&console.ledger.keys().event_seal), head).await;
    if let Some(why) = console.ledger.contradiction().filter(|_| !trail.broken) {
        trail.breaks(why);
    }
    let read = match read {
        Ok(()) => trail.look_between(console.db()).await,
        error => error,
    };
    if !trail.found.wrong.is_empty() {
        console.builder.stop();
    }
    note(console, read)
}

/// Compares the rows with the trail; new contradictions notify administrators and security.
pub async fn watch(console: &Console, trail: &mut Trail) -> Result<(), Error> {
    follow(console, trail).await?;
    let compared = trail.compare(console.db()).await;
    let checked = match compared {
        Ok(checked) => checked,
        Err(error) => return note(console, Err(error)),
    };
    let checked = Arc::new(checked);
    let found = Found { checked: checked.clone(), at: Some(console.now()), trouble: None };
    let before = console.found.send_replace(found).checked;
    let known: BTreeSet<&String> = before.wrong.iter().collect();
    let news: Vec<&String> = checked.wrong.iter().filter(|wrong| !known.contains(wrong)).collect();
    for wrong in &news {
        tracing::error!(%wrong, "what is stored contradicts the trail");
    }
    if checked.more > before.more {
        tracing::error!(more = checked.more, "what is stored contradicts the trail beside that");
    }
    if !news.is_empty() || checked.more > before.more {
        let mut tx = console.ledger.housekeeping().await?;
        let told = people::overseers(console, &mut tx).await?;
        notifications::tell(console, &mut tx, told.iter().map(String::as_str), "state.tampered", "").await?;
        tx.finish().await?;
    }
    Ok(())
}

/// The same, unless it was done a while ago.
pub async fn watch_in_turn(console: &Console, trail: &mut Trail) -> Result<(), Error> {
    let begun = Instant::now();
    if begun < trail.next_look {
        return Ok(());
    }
    watch(console, trail).await?;
    trail.next_look = Instant::now() + (begun.elapsed() * 100).min(MOST_BETWEEN);
    Ok(())
}

/// What cannot be read is as bad as what contradicts: readiness says so until it can.
fn note(console: &Console, read: crate::db::Result<()>) -> Result<(), Error> {
    let trouble = read.as_ref().err().map(ToString::to_string);
    console.found.send_if_modified(|found| {
        let is_news = found.trouble != trouble;
        found.trouble = trouble;
        is_news
    });
    Ok(read?)
}
