//! One secret: its page, taking its value, writing a new one, editing, moving, archiving, versions.
use super::{
    Problem,
    controls::submitted,
    visitor::{Fields, Names, Signed, done, mistaken, shown},
};
use crate::{
    audit,
    catalog::{self, Located},
    grants, requests, vault,
    vault::{Source, Take, envelope::as_text},
};
use app::{
    audit::action::Action,
    catalog::{
        model::{Kind, warning},
        page::{self, Column, Reader, SecretView, VersionLine},
    },
    error::{Error, Refusal},
    grants::model::State,
    policies::model::{Class, Right},
    ui::{Band, Form},
};
use axum::{
    Json,
    extract::Path,
    response::{Html, IntoResponse, Response},
};

type Answer = Result<Response, Problem>;

pub async fn secret(signed: Signed, Path(id): Path<String>) -> Answer {
    Ok(shown(secret_page(&signed, &id, &Form::default()).await?))
}

async fn secret_page(signed: &Signed, id: &str, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/projects").await?;
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, &signed.caller, id).await?;
    let mut names = Names::default();
    let secret = &located.secret;
    let rows = vault::store::versions(&mut db, id).await?;
    let previous =
        rows.iter().find(|row| row.is_there() && secret.current_version.is_some_and(|current| row.version < current));
    let previous = previous.map(|row| row.version);
    let mut versions = Vec::new();
    for row in rows.iter().take(50) {
        let by = match &row.created_by {
            Some(by) => names.person(&mut db, signed.site(), by).await?,
            None => "system".into(),
        };
        let label = if row.destroyed_at.is_some() {
            "destroyed"
        } else if row.deleted_at.is_some() {
            "deleted"
        } else if secret.current_version == Some(row.version) {
            "current"
        } else if secret.current_version.is_some_and(|current| row.version > current) {
            "pending"
        } else if previous == Some(row.version) {
            "previous"
        } else {
            "older"
        };
        versions.push(VersionLine {
            version: row.version,
            label,
            by,
            written_at: row.created_at,
            fields: row.field_names.clone(),
            length: row.length,
            deleted: row.deleted_at.is_some(),
            destroyed: row.destroyed_at.is_some(),
            destroy_after: row.destroy_after,
            death: row.death(),
            valid_until: row.valid_until,
            kept: None,
        });
    }
    let mut readers = Vec::new();
    for grant in grants::store::open_for(&mut db, id, now, key).await? {
        let (name, href) = match (&grant.person_id, &grant.workload_id) {
            (Some(person), _) => (names.person(&mut db, signed.site(), person).await?, format!("/people/{person}")),
            (None, Some(workload)) => {
                (names.workload(&mut db, signed.site(), workload).await?, format!("/workloads/{workload}"))
            }
            (None, None) => continue,
        };
        let right = grant.right();
        let machine = grant.workload_id.is_some();
        let resumes = console.would(
            &signed.caller,
            Action::ResumeGrant,
            Some(&located.project.id),
            catalog::environment_situation(&located.environment),
        );
        let tier = located.environment.tier();
        let resumes = match resumes {
            None if grant.state(now) == State::Suspended => {
                grants::may_resume(console, &mut db, signed.caller.id(), tier, &grant).await?.is_ok()
            }
            _ => false,
        };
        let how = app::requests::page::verb(right, &console.level(located.environment.tier()), secret.class(), machine);
        readers.push(Reader {
            name,
            href,
            how,
            request: grant.request_id.clone(),
            grant: grant.id.clone(),
            until: grant.expires_at,
            state: grant.state(now),
            others: grant.secrets.split(' ').count().saturating_sub(1),
            resumes,
        });
    }
    let knowing = vault::store::knowing(&mut db, id).await?;
    let there = |version: i32| rows.iter().any(|row| row.version == version && row.destroyed_at.is_none());
    let knowing = knowing
        .into_iter()
        .filter(|row| there(row.version))
        .map(|row| (row.name, row.version, row.how, row.since, secret.current_version == Some(row.version)))
        .collect();
    let mut asked = Vec::new();
    for request in requests::store::for_secret(&mut db, id, 10, key).await? {
        let decisions = requests::store::decisions(&mut db, &request.id, key).await?;
        let name = names.person(&mut db, signed.site(), &request.requester_id).await?;
        let words = format!("{name}, {}, {}", request.right().words(), app::time::long(request.submitted_at));
        asked.push((request.id.clone(), words, request.state(&decisions, now)));
    }
    let mut activity = Vec::new();
    let narrow = audit::store::Narrow { secret: Some(id.into()), ..Default::default() };
    for row in audit::store::list(&mut db, &narrow, None, 12).await? {
        let actor = match (row.actor_kind.as_str(), &row.actor_id) {
            ("person", Some(id)) => names.person(&mut db, signed.site(), id).await?,
            ("workload", Some(id)) => names.workload(&mut db, signed.site(), id).await?,
            (kind, _) => kind.to_owned(),
        };
        let words = Action::from_code(&row.action).map_or("unknown", Action::words);
        let refused = if row.outcome == "allowed" { "" } else { " — refused" };
        activity.push((row.seq as u64, row.at, format!("{actor}: {words}{refused}")));
    }
    let environments = catalog::store::environments(&mut db, &located.project.id, key).await?;
    let mut siblings = Vec::new();
    for environment in &environments {
        if environment.id != located.environment.id
            && let Some(other) = catalog::store::find_at(&mut db, &environment.id, &secret.folded, key).await?
            && other.archived_at.is_none()
        {
            siblings.push((environment.tier(), other.id));
        }
    }
    let take = take_answer(signed, &mut db, &located).await?;
    let situation = catalog::situation(console, &mut db, &signed.caller, &located, Some(Right::Write)).await?;
    let project = Some(located.project.id.as_str());
    let here = catalog::secret_situation(&located);
    let destroys = console.would(&signed.caller, Action::DestroyVersion, project, here).is_none();
    for (line, row) in versions.iter_mut().zip(&rows) {
        if let (true, Some(by), Some(after)) = (destroys, &row.destroy_by, row.destroy_after)
            && now >= after
        {
            line.kept = vault::may_destroy(console, &mut db, signed.caller.id(), &located, by).await?.err();
        }
    }
    let view = SecretView {
        id: id.into(),
        project: (located.project.slug.clone(), located.project.name.clone()),
        environment: Column {
            id: located.environment.id.clone(),
            slug: located.environment.slug.clone(),
            tier: located.environment.tier(),
        },
        path: secret.path.clone(),
        kind: secret.kind(),
        class: secret.class(),
        description: secret.description.clone(),
        team: names.team(&mut db, &secret.team_id).await?,
        archived: secret.archived_at.is_some(),
        seen: secret.event_seq,
        latest: secret.latest_version,
        versions,
        readers,
        knowing,
        requests: asked,
        activity,
        siblings,
        take,
        write: console.would(&signed.caller, Action::WriteVersion, project, situation),
        edit: console.would(&signed.caller, Action::EditSecret, project, situation),
        rotation: super::rotations::of_secret(signed, &mut db, &mut names, &located).await?,
        attest: console.would(&signed.caller, Action::AttestDeath, project, situation),
        explains: console.would(&signed.caller, Action::ExplainAccess, project, Default::default()).is_none(),
        revoke: console.would(&signed.caller, Action::RevokeGrant, project, Default::default()),
        destroys,
    };
    Ok(page::secret(&shell, view, form))
}

/// Until when this viewer may take the value, or why not: asked of the engine as the taking itself will be.
async fn take_answer(
    signed: &Signed,
    db: &mut impl crate::db::Sql,
    located: &Located,
) -> Result<Result<app::time::Moment, app::error::Refusal>, Error> {
    let console = signed.console();
    let (grant, situation) = vault::taking(console, db, signed.caller.id(), located).await?;
    let project = Some(located.project.id.as_str());
    // Critical ones are copied: that is the way which has to be open.
    Ok(match (console.would(&signed.caller, Action::CopySecret, project, situation), grant) {
        (None, Some(grant)) => console.level(located.environment.tier()).takes(false).map(|()| grant.expires_at),
        (Some(refusal), _) => Err(refusal),
        (None, None) => Err(app::error::Refusal::NoGrant),
    })
}

pub async fn reveal(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    take(signed, id, fields, Take::Reveal).await
}

pub async fn copy(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    take(signed, id, fields, Take::Copy).await
}

async fn take(signed: Signed, id: String, fields: Fields, take: Take) -> Answer {
    if !signed.visitor.wants_json {
        // Without the island there is no clipboard: the answer would show what may only be copied.
        let console = signed.console();
        let located = Located::visible(console, &mut console.read().await?, &signed.caller, &id).await?;
        if console.level(located.environment.tier()).copies(located.secret.class()) {
            if !signed.caller.has_proved() && take == Take::Copy {
                // The question comes on a page whose script then copies.
                return Err(Error::Refused(Refusal::FactorNeeded).into());
            }
            let event = crate::audit::event::Event::new(Action::CopySecret).on(located.subject());
            return Err(console.ledger.refuse(&signed.caller.who, event, Refusal::CopyOnly).await.into());
        }
    }
    let taken = vault::take_value(signed.console(), &signed.caller, &id, take, fields.get("purpose")).await?;
    let values: Vec<(String, String)> =
        taken.payload.fields().map(|(name, value)| (name.to_owned(), as_text(value).0.to_string())).collect();
    if signed.visitor.wants_json {
        let fields: Vec<_> =
            values.iter().map(|(name, value)| serde_json::json!({ "name": name, "value": value })).collect();
        return Ok(Json(serde_json::json!({ "fields": fields, "event": taken.receipt.seq })).into_response());
    }
    let page = page::taken(
        &signed.visitor.door(),
        &taken.located.secret.path,
        values,
        taken.receipt.seq,
        &format!("/secrets/{id}"),
    );
    Ok(Html(page).into_response())
}

pub async fn write_page(signed: Signed, Path(id): Path<String>) -> Answer {
    Ok(shown(write_view(&signed, &id, Vec::new(), &Form::default()).await?))
}

async fn write_view(signed: &Signed, id: &str, warnings: Vec<String>, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/projects").await?;
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, &signed.caller, id).await?;
    let situation = catalog::situation(console, &mut db, &signed.caller, &located, Some(Right::Write)).await?;
    if let Some(refusal) = console.would(&signed.caller, Action::WriteVersion, Some(&located.project.id), situation) {
        return Err(Error::Refused(refusal));
    }
    let view = page::Write {
        id: id.into(),
        path: located.secret.path.clone(),
        band: Band {
            project: located.project.name,
            environment: located.environment.slug.clone(),
            tier: located.environment.tier(),
        },
        kind: located.secret.kind(),
        latest: located.secret.latest_version,
        warnings,
    };
    Ok(page::write(&shell, view, form))
}

pub async fn write(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let console = signed.console();
    let located = Located::visible(console, &mut console.read().await?, &signed.caller, &id).await?;
    let typed = fields.with_prefix("field.");
    if fields.get("anyway").is_empty() {
        let mut odd: Vec<String> =
            typed.iter().filter_map(|(name, value)| Some(format!("{name}: {}", warning(value.as_bytes())?))).collect();
        if located.secret.kind() == Kind::Certificate
            && let Some((_, chain)) = typed.iter().find(|(name, _)| name == "chain")
        {
            let said = vault::expiry::warning(chain.as_bytes(), console.now());
            odd.extend(said.map(|said| format!("chain: {said}")));
        }
        if !odd.is_empty() {
            return Ok(mistaken(write_view(&signed, &id, odd, &Form::default()).await?));
        }
    }
    let written = async {
        // A browser sends line breaks as CR LF; what was typed or pasted has line feeds.
        let typed = typed
            .into_iter()
            .map(|(name, value)| (name, zeroize::Zeroizing::new(value.replace("\r\n", "\n"))))
            .collect();
        let payload = vault::payload(located.secret.kind(), typed)?;
        let expected = fields.version("expected")?;
        vault::write_version(console, &signed.caller, &id, expected, payload, Source::Typed).await
    };
    match written.await {
        Ok((_, receipt)) => Ok(done(&format!("/secrets/{id}"), Action::WriteVersion, receipt)),
        Err(error) => {
            let form = fields.again(error, &["field.*"])?;
            Ok(mistaken(write_view(&signed, &id, Vec::new(), &form).await?))
        }
    }
}

pub async fn generate(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let console = signed.console();
    let located = Located::visible(console, &mut console.read().await?, &signed.caller, &id).await?;
    let name = located.secret.kind().fields().first().copied().unwrap_or("value").to_owned();
    let payload = vault::payload(located.secret.kind(), vec![(name, vault::generate(40)?)])?;
    let expected = fields.version("expected")?;
    let (_, receipt) = vault::write_version(console, &signed.caller, &id, expected, payload, Source::Generated).await?;
    Ok(done(&format!("/secrets/{id}"), Action::WriteVersion, receipt))
}

pub async fn edit(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let edited = async {
        let class = Class::from_code(fields.get("class")).ok_or_else(|| Error::invalid("class", "Choose a class."))?;
        let seen = fields.number("seen")?;
        catalog::edit_secret(signed.console(), &signed.caller, &id, seen, fields.get("description"), class).await
    };
    match edited.await {
        Ok(outcome) => Ok(submitted(&format!("/secrets/{id}"), Action::EditSecret, outcome)),
        Err(error) => Ok(mistaken(secret_page(&signed, &id, &fields.again(error, &[])?).await?)),
    }
}

pub async fn move_(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    match catalog::move_secret(signed.console(), &signed.caller, &id, fields.get("path")).await {
        Ok(receipt) => Ok(done(&format!("/secrets/{id}"), Action::MoveSecret, receipt)),
        Err(error) => Ok(mistaken(secret_page(&signed, &id, &fields.again(error, &[])?).await?)),
    }
}

pub async fn archive_page(signed: Signed, Path(id): Path<String>) -> Answer {
    let console = signed.console();
    let shell = signed.shell("/projects").await?;
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, &signed.caller, &id).await?;
    let situation = catalog::secret_situation(&located);
    if let Some(refusal) = console.would(&signed.caller, Action::ArchiveSecret, Some(&located.project.id), situation) {
        return Err(Error::Refused(refusal).into());
    }
    let mut names = Names::default();
    let (mut people, mut machines, mut all) = (0, 0, Vec::new());
    for grant in grants::store::active_for(&mut db, &id, now, key).await? {
        if let Some(person) = &grant.person_id {
            people += 1;
            all.push(names.person(&mut db, signed.site(), person).await?);
        } else if let Some(workload) = &grant.workload_id {
            machines += 1;
            all.push(names.workload(&mut db, signed.site(), workload).await?);
        }
    }
    let open = requests::store::for_secret(&mut db, &id, 1000, key).await?;
    let open = open.iter().filter(|request| request.ended_at.is_none() && request.expires_at > now).count();
    let cuts =
        vec![("People who can take the value", people), ("Workloads that fetch it", machines), ("Open requests", open)];
    Ok(shown(page::archive(&shell, &id, &located.secret.path, cuts, all)))
}

pub async fn archive(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = catalog::archive_secret(signed.console(), &signed.caller, &id).await?;
    Ok(done(&format!("/secrets/{id}"), Action::ArchiveSecret, receipt))
}

pub async fn delete(signed: Signed, Path((id, version)): Path<(String, i32)>) -> Answer {
    let receipt = vault::delete_version(signed.console(), &signed.caller, &id, version).await?;
    Ok(done(&format!("/secrets/{id}"), Action::DeleteVersion, receipt))
}

pub async fn undelete(signed: Signed, Path((id, version)): Path<(String, i32)>) -> Answer {
    let receipt = vault::undelete_version(signed.console(), &signed.caller, &id, version).await?;
    Ok(done(&format!("/secrets/{id}"), Action::UndeleteVersion, receipt))
}

pub async fn schedule(signed: Signed, Path((id, version)): Path<(String, i32)>) -> Answer {
    let receipt = vault::schedule_destruction(signed.console(), &signed.caller, &id, version).await?;
    Ok(done(&format!("/secrets/{id}"), Action::ScheduleDestruction, receipt))
}

pub async fn destroy(signed: Signed, Path((id, version)): Path<(String, i32)>) -> Answer {
    let receipt = vault::destroy_version(signed.console(), &signed.caller, &id, version).await?;
    Ok(done(&format!("/secrets/{id}"), Action::DestroyVersion, receipt))
}
