//! Explanations for programs: the same as on the pages.
use super::{
    bearer::Program,
    model::*,
    reference::{Mistaken, Refused},
};
use crate::http::{
    Problem,
    explain::{explained, when_of, who_can, why_of},
};
use app::{
    error::Error,
    explain::model::{self, Given, Source, Verdict},
};
use axum::{
    Json,
    extract::{Path, Query},
};

type Answer<T> = Result<Json<T>, Problem>;

fn somebody(named: model::Named) -> Somebody {
    Somebody { id: named.id, name: named.name }
}

fn everybody(named: Vec<model::Named>) -> Vec<Somebody> {
    named.into_iter().map(somebody).collect()
}

fn rule(rule: model::Rule) -> DecidingRule {
    let model::Rule { id, version, line, text, document, .. } = rule;
    DecidingRule { id, version, line: line as u64, text, document }
}

fn place(place: model::Place) -> Place {
    Place {
        name: format!("{}/{}/{}", place.project.0, place.environment, place.path),
        id: place.secret,
        level: place.tier.code().into(),
    }
}

fn ask(ask: model::Ask) -> WhomToAsk {
    WhomToAsk { words: ask.words, people: everybody(ask.people) }
}

fn why(verdict: Verdict) -> Option<String> {
    match verdict {
        Verdict::No(refusal) => Some(refusal.to_string()),
        Verdict::Yes | Verdict::WithFactor => None,
    }
}

fn act(act: model::Act) -> ExplainedAct {
    ExplainedAct {
        action: act.action.code().into(),
        words: act.words().into(),
        verdict: act.verdict.code().into(),
        why: why(act.verdict),
        rule: act.rule.map(rule),
        needs: act.needs.iter().map(|way| way.iter().map(|need| need.words()).collect()).collect(),
        ask: act.ask.map(ask),
        depends_on: act.depends.into_iter().map(Into::into).collect(),
    }
}

fn grant(route: model::GrantRoute) -> ExplainedGrant {
    ExplainedGrant {
        id: route.id,
        request: route.request,
        right: route.right.code().into(),
        state: route.state.words().into(),
        from: route.from,
        until: route.until,
        approved_by: match route.given {
            Given::ByRule => Vec::new(),
            Given::By(people) => everybody(people),
        },
        approval_policy: route.policy,
    }
}

fn role(role: model::HeldRole) -> ExplainedRole {
    ExplainedRole {
        role: if role.reads.is_some() { crate::people::PAST_AUDITOR } else { role.role.code() }.into(),
        project: role.project,
        source: match role.source {
            Source::ByHand(Some(_)) => "by hand".into(),
            Source::ByHand(None) => "set-up".into(),
            Source::Group(group) => format!("group: {group}"),
        },
        from: role.from,
        until: role.until,
    }
}

fn known(known: model::Known) -> KnownVersion {
    KnownVersion { version: known.version, how: known.how, since: known.since, current: known.current }
}

fn kind(workload: bool) -> String {
    if workload { "workload".into() } else { "person".into() }
}

/// May they take, write or ask for a secret: by which grant, role, rule and line; and whom to ask. About others it takes a role,
/// and is recorded.
#[utoipa::path(
    get, path = "/api/v1/explain", tag = "Access", operation_id = "explainAccess", params(ExplainQuery),
    security(("personal" = ["access:read"])),
    responses(
        (status = 200, body = ExplainedAccess), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused), (status = 422, response = Mistaken),
    )
)]
pub async fn explain_access(program: Program, Query(query): Query<ExplainQuery>) -> Answer<ExplainedAccess> {
    let who = query.who.unwrap_or_default();
    let found = explained(&program.site, &program.caller, &who, &query.secret).await?;
    Ok(Json(ExplainedAccess {
        who: somebody(found.whom),
        kind: kind(found.workload),
        secret: place(found.place),
        account: found.account,
        acts: found.acts.into_iter().map(act).collect(),
        grants: found.grants.into_iter().map(grant).collect(),
        through_workloads: found
            .workloads
            .into_iter()
            .map(|route| ExplainedRoute {
                workload: somebody(route.workload),
                verdict: route.verdict.code().into(),
                until: route.until,
            })
            .collect(),
        roles: found.roles.into_iter().map(role).collect(),
        knows: found.known.into_iter().map(known).collect(),
    }))
}

/// Who can take a secret now, or could at a time before, and who knows it. It takes a role, and is recorded.
#[utoipa::path(
    get, path = "/api/v1/access", tag = "Access", operation_id = "listReaders", params(AccessQuery),
    security(("personal" = ["access:read"])),
    responses(
        (status = 200, body = SecretAccess), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused), (status = 422, response = Mistaken),
    )
)]
pub async fn list_readers(program: Program, Query(query): Query<AccessQuery>) -> Answer<SecretAccess> {
    let at = when_of(&query.at.unwrap_or_default(), program.console().now())?;
    let found = who_can(&program.site, &program.caller, &query.secret, at).await?;
    Ok(Json(SecretAccess {
        secret: place(found.place),
        at: found.at,
        readers: found
            .readers
            .into_iter()
            .map(|reader| ExplainedReader {
                who: somebody(reader.who),
                kind: kind(reader.workload),
                grant: grant(reader.grant),
                verdict: reader.verdict.code().into(),
                rule: reader.rule.map(rule),
                depends_on: reader.depends.into_iter().map(Into::into).collect(),
                behind: everybody(reader.behind),
            })
            .collect(),
        knowers: found
            .knowers
            .into_iter()
            .map(|one| ExplainedKnower { who: somebody(one.who), known: known(one.known) })
            .collect(),
    }))
}

/// Why an event was decided as it was: the rule as it was written then, the facts, and the answer of today.
#[utoipa::path(
    get, path = "/api/v1/events/{seq}/why", tag = "Trail", operation_id = "explainEvent",
    params(("seq" = u64, Path, description = "The event's number.")),
    security(("personal" = ["trail:read"])),
    responses(
        (status = 200, body = ExplainedEvent), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused), (status = 422, response = Mistaken),
    )
)]
pub async fn explain_event(program: Program, Path(seq): Path<u64>) -> Answer<ExplainedEvent> {
    if seq > i64::MAX as u64 {
        return Err(Error::NotFound.into());
    }
    let found = why_of(&program.site, &program.caller, seq).await?;
    Ok(Json(ExplainedEvent {
        seq: found.seq,
        at: found.at,
        action: found.action.code().into(),
        allowed: found.allowed,
        refusal: found.refusal.map(|refusal| refusal.code().into()),
        why: found.refusal.map(|refusal| refusal.to_string()),
        rule_id: found.rule_id,
        version: found.version,
        rule: found.rule.map(rule),
        fixed: found.fixed,
        facts: found.facts.map(|facts| facts.into_iter().collect()),
        today: found.now.map(|verdict| verdict.code().into()),
        today_rule: found.now_rule.map(rule),
        ask: found.ask.map(ask),
    }))
}
