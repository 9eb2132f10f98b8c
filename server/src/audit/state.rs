//! `countersign audit verify --state`: every row that opens access against its seal and against its last event.
//!
//! A row that somebody inserted or changed in the database fails its seal. A row that was put back to an older state holds
//! its seal, but a later event wrote it. A row that was deleted is named by an event and is nowhere.
use super::row_seal::{SealedRow, holds};
use crate::{
    catalog::store::{Environment, Secret},
    config::Config,
    controls::store::Proposal,
    db::{Db, Row, Sql, Statement},
    grants::store::Grant,
    instance,
    keys::Secret as Key,
    levels::store::LevelRow,
    people::{
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
    time::Moment,
};
use std::collections::HashMap;

/// Rows and events that one read takes.
const CHUNK: u64 = 2000;

#[derive(Default)]
pub struct Checked {
    pub rows: u64,
    pub wrong: Vec<String>,
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
        CreateEnvironment => ("environments", &subject.environment),
        CreateSecret | EditSecret | MoveSecret | ArchiveSecret | WriteVersion | DeleteVersion | UndeleteVersion
        | ScheduleDestruction | DestroyVersion => ("secrets", &subject.secret),
        SubmitRequest | WithdrawRequest | ExpireRequest | VoidRequest => ("access_requests", &subject.request),
        ApproveRequest | DecideLate | VoidDecision => ("decisions", &subject.row),
        DenyRequest => return both(("decisions", &subject.row), ("access_requests", &subject.request)),
        IssueGrant => return both(("grants", &subject.grant), ("access_requests", &subject.request)),
        RevokeGrant | GiveBackGrant | SuspendGrant | ResumeGrant => ("grants", &subject.grant),
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
    Ok(check(db, &keys.row_seal).await?)
}

pub async fn check(db: &Db, key: &Key) -> crate::db::Result<Checked> {
    let mut writes = Writes::new();
    let mut times: HashMap<u64, Moment> = HashMap::new();
    let mut next = 0;
    loop {
        let leaves = super::store::leaves(&mut db.read().await?, next, i64::MAX as u64, CHUNK).await?;
        let Some((last, _)) = leaves.last() else { break };
        next = *last as u64 + 1;
        for (seq, leaf) in leaves {
            let Ok(leaf) = Leaf::decode(&leaf) else { continue };
            times.insert(seq as u64, leaf.at);
            let Some(action) = Action::from_code(&leaf.action).filter(|_| leaf.outcome == Outcome::Allowed) else {
                continue;
            };
            let mut written = written(action, &leaf.subject);
            // Approving less makes the request's terms anew.
            if action == Action::ApproveRequest && leaf.detail.contains_key("narrowed_from") {
                written.extend(leaf.subject.request.as_ref().map(|id| ("access_requests", id)));
            }
            for (table, id) in written {
                writes.insert((table, id.clone()), (seq as u64, leaf.at));
            }
        }
    }
    let mut checked = Checked::default();
    table::<Person>(db, key, &mut writes, &times, &mut checked).await?;
    table::<RoleRow>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Membership>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Link>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Session>(db, key, &mut writes, &times, &mut checked).await?;
    table::<AccessToken>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Proposal>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Provider>(db, key, &mut writes, &times, &mut checked).await?;
    table::<GroupRule>(db, key, &mut writes, &times, &mut checked).await?;
    table::<LevelRow>(db, key, &mut writes, &times, &mut checked).await?;
    table::<PolicyRow>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Factor>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Identity>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Delegation>(db, key, &mut writes, &times, &mut checked).await?;
    table::<EmergencyAccount>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Environment>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Secret>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Request>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Decision>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Grant>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Plan>(db, key, &mut writes, &times, &mut checked).await?;
    table::<RotationDefault>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Case>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Rotation>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Workload>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Credential>(db, key, &mut writes, &times, &mut checked).await?;
    table::<Token>(db, key, &mut writes, &times, &mut checked).await?;
    let mut missing: Vec<String> = writes
        .into_iter()
        .map(|((table, id), (seq, _))| format!("{table}: {id} is missing, which event {seq} wrote"))
        .collect();
    missing.sort();
    checked.wrong.extend(missing);
    Ok(checked)
}

async fn table<R: SealedRow + Row>(
    db: &Db,
    key: &Key,
    writes: &mut Writes,
    times: &HashMap<u64, Moment>,
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
            let Some(at) = times.get(&(seq as u64)) else {
                checked.wrong.push(format!("{name} names event {seq}, which is not in the trail"));
                continue;
            };
            // Events of one change share their time; the seal names the first of them.
            if let Some((last_seq, last_at)) = last
                && (last_at != *at || (seq as u64) > last_seq)
            {
                checked.wrong.push(format!("{name} is as event {seq} left it, but event {last_seq} wrote it last"));
            }
        }
    }
}
