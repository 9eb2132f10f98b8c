//! `countersign audit verify --state`: every row that opens access against its seal and against its last event.
//!
//! A row that somebody inserted or changed in the database fails its seal. A row that was put back to an older state holds
//! its seal, but a later event wrote it. A row that was deleted is named by an event and is nowhere. The service makes the same
//! comparison by itself ([`watch`]): what it finds is told, turns readiness red, and opens nothing from then on.
use super::{
    event_seal,
    row_seal::{self, SealedRow, holds},
};
use crate::{
    catalog::store::{Environment, Project, Secret},
    config::Config,
    console::Console,
    controls::store::Proposal,
    db::{Db, Row, Sql, Statement},
    grants::store::Grant,
    instance,
    keys::Secret as Key,
    levels::store::LevelRow,
    notifications,
    people::{
        self,
        delegation::store::Delegation,
        factors::store::Factor,
        providers::store::{EmergencyAccount, GroupRule, Identity, Provider},
        store::{Link, Membership, Person, RoleRow, Session},
        tokens::store::AccessToken,
    },
    policies::store::PolicyRow,
    requests::store::{Decision, Request},
    rotations::{
        case_store::Case,
        store::{Default as RotationDefault, Plan, Rotation},
    },
    workloads::store::{Credential, Token, Workload},
};
use app::{
    audit::{
        action::Action,
        leaf::{Leaf, Outcome, Subject},
    },
    error::Error,
    time::Moment,
};
use std::collections::HashMap;

/// Rows and events that one read takes.
const CHUNK: u64 = 2000;

#[derive(Default)]
pub struct Checked {
    pub rows: u64,
    pub wrong: Vec<String>,
    /// Rows that hold their seal and are older than their last event.
    pub put_back: Vec<(&'static str, String, i64)>,
}

/// The last event that wrote each row: its number and time.
type Writes = HashMap<(&'static str, String), (u64, Moment)>;

/// Which rows an event writes: the table and the id.
fn written<'a>(action: Action, subject: &'a Subject) -> Vec<(&'static str, &'a String)> {
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
        EnrolFactor => return both(("factors", &subject.row), ("people", &subject.person)),
        RemoveFactor | RenewCodes | ProveFactor => ("factors", &subject.row),
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
    let mut trail = Trail::default();
    trail.catch_up(db, Some(&keys.event_seal)).await?;
    Ok(trail.compare(db, &keys.row_seal).await?)
}

/// Compares everything once.
pub async fn check(db: &Db, key: &Key) -> crate::db::Result<Checked> {
    let mut trail = Trail::default();
    trail.catch_up(db, None).await?;
    trail.compare(db, key).await
}

/// What the trail says of rows, as far as it was read: it is read on from there, and the rows are compared again.
#[derive(Default)]
pub struct Trail {
    writes: Writes,
    times: HashMap<u64, Moment>,
    next: u64,
    /// Events that this service did not write.
    foreign: Vec<u64>,
}

impl Trail {
    /// Reads the events that came since. With the key of their seals: one that this service did not write says nothing of any row.
    pub async fn catch_up(&mut self, db: &Db, seal: Option<&Key>) -> crate::db::Result<()> {
        loop {
            let leaves = super::store::sealed_leaves(&mut db.read().await?, self.next, i64::MAX as u64, CHUNK).await?;
            let Some(last) = leaves.last() else { return Ok(()) };
            self.next = last.seq as u64 + 1;
            for super::store::SealedLeaf { seq, leaf, seal: kept } in leaves {
                if seal.is_some_and(|key| !event_seal::holds(key, seq as u64, &leaf, kept.as_deref())) {
                    self.foreign.push(seq as u64);
                    continue;
                }
                let Ok(leaf) = Leaf::decode(&leaf) else { continue };
                self.times.insert(seq as u64, leaf.at);
                let Some(action) = Action::from_code(&leaf.action).filter(|_| leaf.outcome == Outcome::Allowed) else {
                    continue;
                };
                let mut written = written(action, &leaf.subject);
                // Approving less makes the request's terms anew.
                if action == Action::ApproveRequest && leaf.detail.contains_key("narrowed_from") {
                    written.extend(leaf.subject.request.as_ref().map(|id| ("access_requests", id)));
                }
                for (table, id) in written {
                    self.writes.insert((table, id.clone()), (seq as u64, leaf.at));
                }
            }
        }
    }

    /// Every row of every sealed table. What was written by an event that was not read yet is left for the next time.
    pub async fn compare(&self, db: &Db, key: &Key) -> crate::db::Result<Checked> {
        let mut writes = self.writes.clone();
        let (writes, times, next) = (&mut writes, &self.times, self.next);
        let foreign =
            self.foreign.iter().map(|seq| format!("event {seq} fails its seal: this service did not write it"));
        let mut checked = Checked { wrong: foreign.collect(), ..Checked::default() };
        table::<Person>(db, key, (writes, times, next), &mut checked).await?;
        table::<Project>(db, key, (writes, times, next), &mut checked).await?;
        table::<RoleRow>(db, key, (writes, times, next), &mut checked).await?;
        table::<Membership>(db, key, (writes, times, next), &mut checked).await?;
        table::<Link>(db, key, (writes, times, next), &mut checked).await?;
        table::<Session>(db, key, (writes, times, next), &mut checked).await?;
        table::<AccessToken>(db, key, (writes, times, next), &mut checked).await?;
        table::<Proposal>(db, key, (writes, times, next), &mut checked).await?;
        table::<Provider>(db, key, (writes, times, next), &mut checked).await?;
        table::<GroupRule>(db, key, (writes, times, next), &mut checked).await?;
        table::<LevelRow>(db, key, (writes, times, next), &mut checked).await?;
        table::<PolicyRow>(db, key, (writes, times, next), &mut checked).await?;
        table::<Factor>(db, key, (writes, times, next), &mut checked).await?;
        table::<Identity>(db, key, (writes, times, next), &mut checked).await?;
        table::<Delegation>(db, key, (writes, times, next), &mut checked).await?;
        table::<EmergencyAccount>(db, key, (writes, times, next), &mut checked).await?;
        table::<Environment>(db, key, (writes, times, next), &mut checked).await?;
        table::<Secret>(db, key, (writes, times, next), &mut checked).await?;
        table::<Request>(db, key, (writes, times, next), &mut checked).await?;
        table::<Decision>(db, key, (writes, times, next), &mut checked).await?;
        table::<Grant>(db, key, (writes, times, next), &mut checked).await?;
        table::<Plan>(db, key, (writes, times, next), &mut checked).await?;
        table::<RotationDefault>(db, key, (writes, times, next), &mut checked).await?;
        table::<Case>(db, key, (writes, times, next), &mut checked).await?;
        table::<Rotation>(db, key, (writes, times, next), &mut checked).await?;
        table::<Workload>(db, key, (writes, times, next), &mut checked).await?;
        table::<Credential>(db, key, (writes, times, next), &mut checked).await?;
        table::<Token>(db, key, (writes, times, next), &mut checked).await?;
        let mut missing: Vec<String> = writes
            .drain()
            .map(|((table, id), (seq, _))| format!("{table}: {id} is missing, which event {seq} wrote"))
            .collect();
        missing.sort();
        checked.wrong.extend(missing);
        Ok(checked)
    }
}

async fn table<R: SealedRow + Row>(
    db: &Db,
    key: &Key,
    (writes, times, next): (&mut Writes, &HashMap<u64, Moment>, u64),
    checked: &mut Checked,
) -> crate::db::Result<()> {
    let mut after = String::new();
    loop {
        let mut statement = Statement::from(R::SELECT);
        statement.push(" WHERE id > $1 ORDER BY id LIMIT 2000");
        let rows: Vec<R> = db.read().await?.sql(statement).bind(after.clone()).all().await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.id().to_owned();
        for row in rows {
            checked.rows += 1;
            let last = writes.remove(&(R::TABLE, row.id().to_owned()));
            let name = format!("{}: {}", R::TABLE, row.id());
            if !holds(&row, key) {
                checked.wrong.push(format!("{name} fails its seal: it was not written by this service"));
                continue;
            }
            let (seq, _) = row.seal();
            if seq as u64 >= next {
                continue;
            }
            let Some(at) = times.get(&(seq as u64)) else {
                checked.wrong.push(format!("{name} names event {seq}, which is not in the trail"));
                continue;
            };
            // Events of one change share their time; the seal names the first of them.
            if let Some((last_seq, last_at)) = last
                && (last_at != *at || (seq as u64) > last_seq)
            {
                checked.wrong.push(format!("{name} is as event {seq} left it, but event {last_seq} wrote it last"));
                checked.put_back.push((R::TABLE, row.id().to_owned(), seq));
            }
        }
    }
}

/// What the service's own comparison found last.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub wrong: Vec<String>,
    pub at: Option<Moment>,
}

/// Compares the rows with the trail, as far as it grew since the last time. Rows that were put back open nothing from now on; whatever
/// is new is told to administrators and security.
pub async fn watch(console: &Console, trail: &mut Trail) -> Result<(), Error> {
    trail.catch_up(console.db(), Some(&console.ledger.keys().event_seal)).await?;
    if !trail.foreign.is_empty() {
        console.builder.stop();
    }
    let checked = trail.compare(console.db(), console.seal_key()).await?;
    row_seal::distrust(checked.put_back);
    let before = console.found.send_replace(Found { wrong: checked.wrong.clone(), at: Some(console.now()) });
    let news: Vec<&String> = checked.wrong.iter().filter(|wrong| !before.wrong.contains(wrong)).collect();
    for wrong in &news {
        tracing::error!(%wrong, "a row that opens access contradicts the trail");
    }
    if !news.is_empty() {
        let mut tx = console.ledger.housekeeping().await?;
        let told = people::overseers(console, &mut tx).await?;
        notifications::tell(console, &mut tx, told.iter().map(String::as_str), "state.tampered", "").await?;
        tx.finish().await?;
    }
    Ok(())
}
