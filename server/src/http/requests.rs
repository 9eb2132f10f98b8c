//! Inbox, asking, the decision screen.
use super::{
    Problem, Site,
    visitor::{Fields, Names, Signed, done, mistaken, shown},
};
use crate::{
    audit,
    catalog::{self, Located},
    db::Sql,
    grants,
    people::Caller,
    requests::{self, Ask, store::Decision, store::Request},
    vault, workloads,
};
use app::{
    audit::action::Action,
    error::{Error, Refusal},
    id::CorrelationId,
    policies::model::{Class, Right},
    requests::{
        model::{Less, Outcome, State},
        page::{self, Effect, Event, Line, RequestView, SeatView, verb},
    },
    ui::Form,
};
use axum::{extract::Path, response::Response};

type Answer = Result<Response, Problem>;

/// A request as lists show it.
pub(super) async fn line(
    site: &Site,
    db: &mut impl Sql,
    names: &mut Names,
    request: &Request,
    decisions: &[Decision],
) -> Result<Line, Error> {
    let located = requests::located(&site.console, db, request).await?;
    let beneficiary = match &request.workload_id {
        Some(id) => Some(names.workload(db, site, id).await?),
        None => None,
    };
    let project = catalog::store::find_project(db, &request.project_id).await?;
    Ok(Line {
        id: request.id.clone(),
        requester: names.person(db, site, &request.requester_id).await?,
        beneficiary,
        right: request.right(),
        class: request.class(),
        paths: located.into_iter().map(|located| located.secret.path).collect(),
        project: project.map_or_else(String::new, |project| project.name),
        tier: request.tier(),
        minutes: request.minutes,
        starts_at: request.starts_at,
        reason: request.reason.clone(),
        state: request.state(decisions, site.console.now()),
        expires_at: request.expires_at,
    })
}

pub async fn inbox(signed: Signed) -> Answer {
    let console = signed.console();
    let shell = signed.shell("/inbox").await?;
    let mut names = Names::default();
    let mut to_decide = Vec::new();
    let waiting = requests::inbox(console, &signed.caller).await?;
    let mut db = console.read().await?;
    for (request, decisions) in waiting {
        to_decide.push(line(signed.site(), &mut db, &mut names, &request, &decisions).await?);
    }
    let mut own = Vec::new();
    for request in requests::store::open_of(&mut db, signed.caller.id(), console.now(), console.seal_key()).await? {
        let decisions = requests::store::decisions(&mut db, &request.id, console.seal_key()).await?;
        own.push(line(signed.site(), &mut db, &mut names, &request, &decisions).await?);
    }
    drop(db);
    let controls = super::controls::inbox(&signed).await?;
    Ok(shown(page::inbox(&shell, to_decide, controls, own)))
}

pub async fn mine(signed: Signed) -> Answer {
    let console = signed.console();
    let shell = signed.shell("/requests").await?;
    let mut names = Names::default();
    let mut db = console.read().await?;
    let mut lines = Vec::new();
    for request in requests::store::history_of(&mut db, signed.caller.id(), 200, console.seal_key()).await? {
        let decisions = requests::store::decisions(&mut db, &request.id, console.seal_key()).await?;
        lines.push(line(signed.site(), &mut db, &mut names, &request, &decisions).await?);
    }
    Ok(shown(page::mine(&shell, lines)))
}

/// The form for asking. `?secret=` may stand several times.
pub async fn ask(signed: Signed, query: axum::extract::RawQuery) -> Answer {
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query.0.as_deref().unwrap_or_default()).map_err(|_| Error::NotFound)?;
    let secrets = pairs.into_iter().filter(|(name, _)| name == "secret").map(|(_, id)| id).collect::<Vec<_>>();
    Ok(shown(ask_page(&signed, &secrets, &Form::default()).await?))
}

async fn ask_page(signed: &Signed, secrets: &[String], form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/requests").await?;
    let mut db = console.read().await?;
    let mut chosen = Vec::new();
    for id in secrets.iter().take(100) {
        chosen.push(Located::visible(console, &mut db, &signed.caller, id).await?);
    }
    let Some(first) = chosen.first().cloned() else { return Err(Error::NotFound) };
    let tier = first.environment.tier();
    let class = chosen.iter().map(|located| located.secret.class()).max().unwrap_or(Class::Critical);
    let needed = console.level(tier).seats(class);
    let mut deciders = Vec::new();
    if let Some(wanted) = needed.first() {
        let roles = crate::people::store::roles(&mut db, console.now(), console.seal_key()).await?;
        let holds = |row: &&crate::people::store::RoleRow| {
            row.role == wanted.code()
                && row.project_id.as_ref().is_none_or(|project| *project == first.project.id)
                && row.person_id != signed.caller.id()
        };
        let mut names = Names::default();
        for row in roles.iter().filter(holds) {
            let person = crate::people::store::find(&mut db, &row.person_id, console.seal_key()).await?;
            if !person.is_some_and(|person| person.is_active()) {
                continue;
            }
            let name = names.person(&mut db, signed.site(), &row.person_id).await?;
            if !deciders.contains(&name) {
                deciders.push(name);
            }
        }
    }
    let mine: Vec<(String, String)> = workloads::store::list(&mut db, console.seal_key())
        .await?
        .into_iter()
        .filter(|row| row.environment_id == first.environment.id && row.disabled_at.is_none())
        .filter(|row| signed.caller.teams.contains(&row.team_id) || signed.caller.leads(&first.project.id))
        .map(|row| (row.id, row.slug))
        .collect();
    let view = page::Ask {
        project: first.project.name.clone(),
        project_slug: first.project.slug.clone(),
        environment: first.environment.slug.clone(),
        tier,
        secrets: chosen
            .iter()
            .map(|located| (located.secret.id.clone(), located.secret.path.clone(), located.secret.class()))
            .collect(),
        workloads: mine,
        seats: needed.len(),
        deciders,
        form_id: console.id::<CorrelationId>()?.to_string(),
    };
    Ok(page::ask(&shell, view, form))
}

pub async fn submit(signed: Signed, fields: Fields) -> Answer {
    let form = fields.get("form");
    if form.parse::<CorrelationId>().is_err() {
        return Err(Error::invalid("form", "This form is incomplete. Open it again.").into());
    }
    let secrets = fields.all("secret");
    let sent = async {
        let ask = Ask {
            secrets: secrets.clone(),
            right: Right::from_code(fields.get("right")).ok_or_else(|| Error::invalid("right", "Choose what for."))?,
            minutes: fields.number("minutes")?,
            reason: fields.get("reason"),
            workload: Some(fields.get("workload")).filter(|workload| !workload.is_empty()),
            starts_at: match fields.get("starts_at") {
                "" => None,
                text => Some(
                    app::time::parse_minute(text)
                        .ok_or_else(|| Error::invalid("starts_at", "A date and a time, as in 2026-04-30T14:00."))?,
                ),
            },
            form,
        };
        requests::submit_request(signed.console(), &signed.caller, ask).await
    };
    match sent.await {
        Ok((id, action, receipt)) => Ok(done(&format!("/requests/{id}"), action, receipt)),
        Err(error) => {
            let form = fields.again(error, &["form"])?;
            Ok(mistaken(ask_page(&signed, &secrets, &form).await?))
        }
    }
}

pub async fn request(signed: Signed, Path(id): Path<String>) -> Answer {
    Ok(shown(request_page(&signed, &id, &Form::default()).await?))
}

async fn request_page(signed: &Signed, id: &str, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/inbox").await?;
    let (request, decisions) = requests::visible_request(console, &signed.caller, id).await?;
    let mut db = console.read().await?;
    let mut names = Names::default();
    let line = line(signed.site(), &mut db, &mut names, &request, &decisions).await?;
    let located = requests::located(console, &mut db, &request).await?;
    let impact = impact(signed, &mut db, &mut names, &request, &line, &located).await?;
    let risks = risks(signed, &mut db, &mut names, &request, &located, impact.2).await?;
    let candidates = requests::candidates(console, &mut db, &request, &decisions).await?;
    let mut seat_views = Vec::new();
    let approvals: Vec<&Decision> = request.standing(&decisions).collect();
    for (n, role) in request.seats().iter().enumerate() {
        let signed_by = match approvals.get(n) {
            Some(decision) => {
                let name = names.person(&mut db, signed.site(), &decision.person_id).await?;
                let name = in_place(signed, &mut db, &mut names, name, decision.on_behalf_of.as_deref()).await?;
                Some((name, decision.decided_at, decision.comment.clone()))
            }
            None => None,
        };
        let next = n == approvals.len();
        let (mut can, mut cannot) = (Vec::new(), Vec::new());
        for (person, may) in candidates.iter().filter(|_| next) {
            match may {
                Ok(absent) => {
                    let name = person.name.clone();
                    can.push(in_place(signed, &mut db, &mut names, name, absent.as_deref()).await?);
                }
                Err(why) => cannot.push((person.name.clone(), *why)),
            }
        }
        seat_views.push(SeatView { role: *role, signed: signed_by, can, cannot });
    }
    let may = requests::may_decide(console, &mut db, &request, &decisions, &signed.caller.person).await?;
    let decide = match (may, requests::wanted(&request, &decisions, console.now())) {
        (Ok(_), Some(role)) => Ok(role),
        (Err(refusal), _) => Err(refusal),
        (Ok(_), None) => Err(Refusal::NotOpen),
    };
    let history = history(signed, &mut db, &mut names, &request, &decisions).await?;
    let environment = catalog::store::find_environment(&mut db, &request.environment_id, console.seal_key()).await?;
    let view = RequestView {
        environment: environment.ok_or(Error::NotFound)?.slug,
        secrets: located.iter().map(|at| (at.secret.id.clone(), at.secret.path.clone(), at.secret.class())).collect(),
        people_now: impact.0,
        workloads_now: impact.1,
        known_now: impact.2,
        effects: impact.3,
        risks,
        seats: seat_views,
        history,
        decide,
        own: request.requester_id == signed.caller.id(),
        digest: request.digest.clone(),
        revision: request.revision,
        policy: format!("{}, built in, version 1", request.policy),
        grant: request.grant_id.clone(),
        line,
    };
    Ok(page::request(&shell, view, form))
}

/// "Lucia Engineer, in the place of Iris Lead".
async fn in_place(
    signed: &Signed,
    db: &mut impl Sql,
    names: &mut Names,
    name: String,
    absent: Option<&str>,
) -> Result<String, Error> {
    Ok(match absent {
        Some(absent) => format!("{name}, in the place of {}", names.person(db, signed.site(), absent).await?),
        None => name,
    })
}

/// People and workloads that can take any of the values now, people who know one, and each holder's access before and after.
async fn impact(
    signed: &Signed,
    db: &mut impl Sql,
    names: &mut Names,
    request: &Request,
    line: &Line,
    located: &[Located],
) -> Result<(usize, usize, usize, Vec<Effect>), Error> {
    let console = signed.console();
    let (now, key) = (console.now(), console.seal_key());
    let mut held: Vec<grants::store::Grant> = Vec::new();
    let mut knowing = Vec::new();
    for at in located {
        held.extend(grants::store::active_for(db, &at.secret.id, now, key).await?);
        let current = at.secret.current_version;
        knowing.extend(
            vault::store::knowing(db, &at.secret.id).await?.into_iter().filter(|row| Some(row.version) == current),
        );
    }
    held.sort_by(|a, b| a.id.cmp(&b.id));
    held.dedup_by(|a, b| a.id == b.id);
    let mut people: Vec<&str> = held.iter().filter_map(|grant| grant.person_id.as_deref()).collect();
    let mut machines: Vec<&str> = held.iter().filter_map(|grant| grant.workload_id.as_deref()).collect();
    let mut known: Vec<&str> = knowing.iter().map(|row| row.person_id.as_str()).collect();
    for ids in [&mut people, &mut machines, &mut known] {
        ids.sort_unstable();
        ids.dedup();
    }
    let verb = verb(request.right(), &console.level(request.tier()), request.class(), request.workload_id.is_some());
    let count = located.len();
    let wish = format!("{verb} · {count} secret{}", if count == 1 { "" } else { "s" });
    let (name, href, id) = match &request.workload_id {
        Some(id) => (line.beneficiary.clone().unwrap_or_default(), format!("/workloads/{id}"), id.as_str()),
        None => (line.requester.clone(), format!("/people/{}", request.requester_id), request.requester_id.as_str()),
    };
    let already =
        held.iter().any(|grant| grant.person_id.as_deref() == Some(id) || grant.workload_id.as_deref() == Some(id));
    let begin = request.starts_at.map_or(now, |at| at.max(now));
    let end = begin + chrono::TimeDelta::minutes(request.minutes);
    let mut effects = vec![Effect {
        name,
        href,
        now: if already { "holds some of it".into() } else { "no access".into() },
        after: Some(wish),
        until: format!("{}, if approved now", app::time::long(end)),
    }];
    for grant in held.iter().filter(|grant| grant.request_id != request.id).take(8) {
        let (name, href) = match (&grant.person_id, &grant.workload_id) {
            (Some(person), _) => (names.person(db, signed.site(), person).await?, format!("/people/{person}")),
            (None, Some(workload)) => {
                (names.workload(db, signed.site(), workload).await?, format!("/workloads/{workload}"))
            }
            (None, None) => continue,
        };
        let covered = located.iter().filter(|at| grant.covers(&at.secret.id)).count();
        effects.push(Effect {
            name,
            href,
            now: format!("{} · {covered} of these", grant.right().words()),
            after: None,
            until: app::time::long(grant.expires_at),
        });
    }
    Ok((people.len(), machines.len(), known.len(), effects))
}

/// What bears on risk: class, last use, who else, what was asked before.
async fn risks(
    signed: &Signed,
    db: &mut impl Sql,
    names: &mut Names,
    request: &Request,
    located: &[Located],
    known: usize,
) -> Result<Vec<(&'static str, String, String)>, Error> {
    let console = signed.console();
    let class = request.class();
    let needs = match request.seats().len() {
        0 => "Given by rule.".to_owned(),
        1 => "One person decides.".to_owned(),
        more if console.level(request.tier()).copies(class) => {
            format!("{more} people decide; the value is copied, never shown on screen.")
        }
        more => format!("{more} people decide."),
    };
    let mut facts = vec![("Class", class.words().to_owned(), needs)];
    let mut last: Option<(i64, app::time::Moment, String, String)> = None;
    for at in located {
        let narrow = audit::store::Narrow { secret: Some(at.secret.id.clone()), ..Default::default() };
        for row in audit::store::list(db, &narrow, None, 30).await? {
            let taken = [Action::RevealSecret, Action::CopySecret, Action::FetchSecret]
                .iter()
                .any(|action| action.code() == row.action);
            if taken && row.outcome == "allowed" && last.as_ref().is_none_or(|(seq, ..)| *seq < row.seq) {
                last = Some((row.seq, row.at, row.actor_kind.clone(), row.actor_id.clone().unwrap_or_default()));
            }
        }
    }
    facts.push(match last {
        Some((_, at, kind, id)) => {
            let name = if kind == "person" {
                names.person(db, signed.site(), &id).await?
            } else {
                names.workload(db, signed.site(), &id).await?
            };
            ("Last used", app::time::long(at), format!("By {name}."))
        }
        None => ("Last used", "Not among the latest events".into(), "No reveal, copy or fetch was found.".into()),
    });
    let who = if known == 0 {
        "Nobody knows the current versions".to_owned()
    } else {
        format!("{known} people know a current version")
    };
    facts.push(("Who knows it", who, String::new()));
    let before = requests::store::history_of(db, &request.requester_id, 100, console.seal_key()).await?;
    let count =
        |outcome: Outcome| before.iter().filter(|other| other.outcome.as_deref() == Some(outcome.code())).count();
    facts.push((
        "Past requests",
        format!("{} by the requester", before.len().saturating_sub(1)),
        format!("{} approved, {} denied.", count(Outcome::Approved), count(Outcome::Denied)),
    ));
    Ok(facts)
}

/// The request's own events, newest first.
async fn history(
    signed: &Signed,
    db: &mut impl Sql,
    names: &mut Names,
    request: &Request,
    decisions: &[Decision],
) -> Result<Vec<Event>, Error> {
    let site = signed.site();
    let now = site.console.now();
    let mut events = Vec::new();
    let requester = names.person(db, site, &request.requester_id).await?;
    let seats = request.seats().len();
    events.push(Event {
        at: request.submitted_at,
        words: format!("{requester} sent the request for review"),
        quote: String::new(),
        ink: true,
    });
    events.push(Event {
        at: request.submitted_at,
        words: format!("Matched policy {}: {seats} signature{}", request.policy, if seats == 1 { "" } else { "s" }),
        quote: String::new(),
        ink: false,
    });
    for decision in decisions {
        let name = names.person(db, site, &decision.person_id).await?;
        let name = in_place(signed, db, names, name, decision.on_behalf_of.as_deref()).await?;
        let words = match decision.verdict.as_str() {
            requests::store::APPROVED if decision.voided_at.is_some() => {
                format!("{name} approved: without effect since the account closed")
            }
            requests::store::APPROVED if decision.digest != request.digest => {
                format!("{name} approved other terms: without effect")
            }
            verdict => format!("{name} {verdict}"),
        };
        events.push(Event { at: decision.decided_at, words, quote: decision.comment.clone(), ink: true });
    }
    match request.state(decisions, now) {
        State::Ended(outcome) if !matches!(outcome, Outcome::Denied) => {
            let at = request.ended_at.unwrap_or(request.expires_at);
            events.push(Event { at, words: outcome.words().into(), quote: String::new(), ink: false });
        }
        _ => {}
    }
    if let Some(id) = &request.grant_id
        && let Some(grant) = grants::store::find(db, id, site.console.seal_key()).await?
    {
        let ended = grant.revoked_at.or(grant.given_back_at).unwrap_or(grant.expires_at);
        if ended <= now {
            events.push(Event {
                at: ended,
                words: format!("Access: {}", grant.state(now).words().to_lowercase()),
                quote: String::new(),
                ink: false,
            });
        }
    }
    events.reverse();
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    Ok(events)
}

pub async fn decide(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let console = signed.console();
    let caller: &Caller = &signed.caller;
    let (digest, comment) = (fields.get("digest"), fields.get("comment"));
    let decided = match fields.get("answer") {
        "approve" => requests::approve_request(console, caller, &id, digest, comment)
            .await
            .map(|receipt| (Action::ApproveRequest, receipt)),
        "less" => {
            let less = Less { secrets: fields.all("secret"), minutes: fields.number("minutes")? };
            requests::approve_less(console, caller, &id, digest, less, comment)
                .await
                .map(|receipt| (Action::ApproveRequest, receipt))
        }
        "deny" => requests::deny_request(console, caller, &id, digest, comment)
            .await
            .map(|receipt| (Action::DenyRequest, receipt)),
        _ => return Err(Error::invalid("answer", "Approve or deny.").into()),
    };
    match decided {
        Ok((action, receipt)) => Ok(done(&format!("/requests/{id}"), action, receipt)),
        Err(error @ Error::Invalid(_)) => {
            let form = fields.again(error, &[])?;
            Ok(mistaken(request_page(&signed, &id, &form).await?))
        }
        Err(error) => Err(error.into()),
    }
}

pub async fn withdraw(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = requests::withdraw_request(signed.console(), &signed.caller, &id).await?;
    Ok(done("/requests", Action::WithdrawRequest, receipt))
}
