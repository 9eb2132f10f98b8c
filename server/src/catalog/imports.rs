//! Importing `.env`, JSON and YAML: a preview with names and conflicts, never values; then all of it or nothing.
//!
//! Between the two steps what was read lies sealed in the database for 15 minutes, for this person alone.
use super::{
    Located,
    secrets::{NewSecret, row},
    store::{self, Environment, Project},
};
use crate::{
    audit::ledger::Receipt,
    console::Console,
    people::Caller,
    vault::{
        self, Source,
        envelope::{Payload, decrypt, encrypt},
    },
};
use app::{
    audit::action::Action,
    catalog::{
        import::{MOST_NAMES, dotenv},
        model::{self, Kind},
    },
    error::{Conflict, Error},
    id::CorrelationId,
    policies::model::Class,
};
use chrono::TimeDelta;
use zeroize::Zeroizing;

/// One line of the preview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub path: String,
    pub length: usize,
    /// There is a secret here: a new version would be written.
    pub exists: bool,
    pub warning: Option<&'static str>,
}

type Entries = Vec<(String, Zeroizing<String>)>;

/// Reads a file by its format. An error names the line, never what stands there.
fn read(format: &str, text: &str) -> Result<Entries, Error> {
    let invalid = |why: String| Error::invalid("text", why);
    let entries: Entries = match format {
        "env" => dotenv(text)
            .map_err(|bad| invalid(bad.to_string()))?
            .into_iter()
            .map(|(name, value)| (name, Zeroizing::new(value)))
            .collect(),
        "json" => {
            let map: Flat = serde_json::from_str(text).map_err(|error| {
                invalid(format!(
                    "Line {}, column {}: not one JSON object of at most {MOST_NAMES} names and texts.",
                    error.line(),
                    error.column()
                ))
            })?;
            map.0
        }
        "yaml" => {
            let map: Flat = serde_saphyr::from_str(text).map_err(|error| {
                let place = error.location().map_or(String::new(), |at| format!("Line {}: ", at.line()));
                invalid(format!("{place}not one YAML mapping of at most {MOST_NAMES} names and texts."))
            })?;
            map.0
        }
        _ => return Err(Error::invalid("format", "Choose .env, JSON or YAML.")),
    };
    if entries.is_empty() {
        return Err(invalid("There are no names in it.".into()));
    }
    for (n, (name, _)) in entries.iter().enumerate() {
        model::path(name).map_err(|why| invalid(format!("Name {}: {why}", n + 1)))?;
    }
    Ok(entries)
}

/// A map of names to texts, in order; a name twice is an error.
struct Flat(Entries);

impl<'d> serde::Deserialize<'d> for Flat {
    fn deserialize<D: serde::Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'d> serde::de::Visitor<'d> for Names {
            type Value = Flat;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("names and texts")
            }
            fn visit_map<A: serde::de::MapAccess<'d>>(self, mut map: A) -> Result<Flat, A::Error> {
                let mut found: Entries = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    if found.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom("a name stands here twice"));
                    }
                    if found.len() == MOST_NAMES {
                        return Err(serde::de::Error::custom("more names than one file may have"));
                    }
                    found.push((name, Zeroizing::new(value)));
                }
                Ok(Flat(found))
            }
        }
        from.deserialize_map(Names)
    }
}

/// Policy is asked before anything is read; a refusal is recorded.
async fn may_import(console: &Console, caller: &Caller, environment: &Environment) -> Result<(), Error> {
    let subject = app::audit::leaf::Subject {
        project: Some(environment.project_id.clone()),
        environment: Some(environment.id.clone()),
        ..Default::default()
    };
    let principal = caller.principal(Some(&environment.project_id));
    let situation = super::environment_situation(environment);
    console.permit(&caller.who, &principal, Action::ImportSecrets, subject, situation).await.map(|_| ())
}

fn stash_context(caller: &Caller, environment: &Environment) -> Vec<u8> {
    format!("countersign/stash/v1 {} {}", caller.id(), environment.id).into_bytes()
}

/// Reads a file and says what importing it would do. Returns the stash's id with it.
pub async fn preview_import(
    console: &Console,
    caller: &Caller,
    environment: &Environment,
    format: &str,
    text: &str,
) -> Result<(String, Vec<Found>), Error> {
    may_import(console, caller, environment).await?;
    let entries = read(format, text)?;
    let found = look(console, environment, &entries).await?;
    let id = console.id::<CorrelationId>()?.to_string();
    let pairs: Vec<(&str, &str)> = entries.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let plain = Zeroizing::new(serde_json::to_vec(&pairs).map_err(|_| Error::Unavailable)?);
    let sealed = encrypt(&console.ledger.keys().stash, &plain, &stash_context(caller, environment));
    let mut tx = console.ledger.housekeeping().await?;
    vault::store::insert_stash(
        &mut tx,
        &id,
        sealed.map_err(|_| Error::Unavailable)?,
        console.now() + TimeDelta::minutes(15),
    )
    .await?;
    tx.finish().await?;
    Ok((id, found))
}

async fn look(console: &Console, environment: &Environment, entries: &Entries) -> Result<Vec<Found>, Error> {
    let mut db = console.read().await?;
    let mut found = Vec::new();
    for (name, value) in entries {
        let there = store::find_at(&mut db, &environment.id, &model::folded(name), console.seal_key()).await?;
        found.push(Found {
            path: name.clone(),
            length: value.len(),
            exists: there.is_some(),
            warning: model::warning(value.as_bytes()),
        });
    }
    Ok(found)
}

/// Writes everything that a preview read, in one change: new secrets are made, existing ones get a new version.
pub async fn import_secrets(
    console: &Console,
    caller: &Caller,
    project: &Project,
    environment: &Environment,
    stash: &str,
    team: &str,
) -> Result<(usize, Receipt), Error> {
    may_import(console, caller, environment).await?;
    let mut db = console.read().await?;
    let sealed = vault::store::find_stash(&mut db, stash, console.now()).await?;
    let sealed =
        sealed.ok_or_else(|| Error::invalid("text", "The preview is older than 15 minutes. Read the file again."))?;
    let plain = decrypt(&console.ledger.keys().stash, &sealed, &stash_context(caller, environment));
    let plain = plain.map_err(|_| Error::NotFound)?;
    let pairs: Vec<(String, String)> = serde_json::from_slice(&plain).map_err(|_| Error::Unavailable)?;
    let pairs = pairs.into_iter().map(|(name, value)| (name, Zeroizing::new(value)));
    let mut prepared = Vec::new();
    for (name, value) in pairs {
        let new = NewSecret { path: &name, kind: Kind::Opaque, class: Class::Normal, description: "", team };
        let there = store::find_at(&mut db, &environment.id, &model::folded(&name), console.seal_key()).await?;
        let is_new = there.is_none();
        let secret = match there {
            Some(secret) => secret,
            None => row(console, environment, &new)?,
        };
        let field = secret.kind().fields().last().copied().unwrap_or("value").to_owned();
        if !is_new && secret.kind().fields().len() > 1 {
            return Err(Error::invalid("text", format!("{name} has several fields and is written on its own page.")));
        }
        let payload = Payload::new(vec![(field, Zeroizing::new(value.as_bytes().to_vec()))]);
        let payload = payload.map_err(|why| Error::invalid("text", format!("{name}: {why}")))?;
        let located = Located { project: project.clone(), environment: environment.clone(), secret };
        let version = located.secret.latest_version + 1;
        let sealed = vault::seal_version(console, &mut db, &located, version, &payload).await?;
        prepared.push((is_new, located, version, payload, sealed));
    }
    drop(db);
    let count = prepared.len();
    let subject = app::audit::leaf::Subject {
        project: Some(project.id.clone()),
        environment: Some(environment.id.clone()),
        ..Default::default()
    };
    let situation = super::environment_situation(environment);
    let (mut tx, event) = console.begin(caller, Action::ImportSecrets, subject, situation).await?;
    // In the same change: a second confirmation finds nothing to do.
    if vault::store::use_stash(&mut tx, stash).await? == 0 {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let deciding = event.policy.clone();
    let mut events = vec![event.detail("count", count as u64)];
    prepared.sort_by(|a, b| a.1.secret.id.cmp(&b.1.secret.id));
    for (is_new, located, version, payload, sealed) in prepared {
        let secret = if is_new {
            if store::insert(&mut tx, &located.secret).await? == 0 {
                return Err(Error::Conflict(Conflict::StaleVersion));
            }
            let made = crate::audit::event::Event::new(Action::CreateSecret).on(located.subject());
            events
                .push(made.private("path", located.secret.path.clone()).detail("class", located.secret.class().code()));
            located.secret.clone()
        } else {
            let locked = store::lock(&mut tx, &located.secret.id, console.seal_key()).await?.ok_or(Error::NotFound)?;
            if locked.latest_version + 1 != version
                || locked.archived_at.is_some()
                || locked.path != located.secret.path
            {
                return Err(Error::Conflict(Conflict::StaleVersion));
            }
            locked
        };
        let mut written = crate::audit::event::Event::new(Action::WriteVersion).on(vault::subject(&located, version));
        written.policy = deciding.clone();
        events.push(
            vault::put_version(console, &mut tx, caller, secret, version, &payload, sealed, Source::Imported, written)
                .await?,
        );
    }
    Ok((count, tx.commit(events).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_formats_are_read_strictly() {
        let names = |format, text| {
            read(format, text).map(|entries| entries.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
        };
        let expected = Ok(vec!["A".to_owned(), "B".to_owned()]);
        assert_eq!(names("env", "A=1\nB=2"), expected);
        assert_eq!(names("json", r#"{"A":"1","B":"2"}"#), expected);
        assert_eq!(names("yaml", "A: one\nB: two\n"), expected);
        for (format, text) in [
            ("env", "A"),
            ("env", ""),
            ("json", "[]"),
            ("json", r#"{"A":"canary-1","A":"canary-1"}"#),
            ("json", r#"{"A":{"B":"canary-1"}}"#),
            ("json", r#"{"../x":"canary-1"}"#),
            ("yaml", "A: [canary-1]"),
            ("yaml", "A: canary-1\nA: canary-1\n"),
            ("xml", "<a/>"),
        ] {
            let error = read(format, text).err().map(|error| error.to_string());
            assert!(error.is_some_and(|error| !error.contains("canary")), "{format} {text}");
        }
    }
}
