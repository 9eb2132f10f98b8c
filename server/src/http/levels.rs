//! Protection levels: read by whoever is governed by them, set by administrators.
use super::{
    Problem,
    controls::submitted,
    visitor::{Fields, Names, Signed, mistaken, shown},
};
use crate::{
    catalog,
    levels::{self, store},
};
use app::{
    audit::action::Action,
    error::Error,
    levels::{
        model::{Level, Reveal},
        page::{self, Past, settings},
    },
    policies::model::Tier,
    ui::Form,
};
use axum::{extract::Path, response::Response};

type Answer = Result<Response, Problem>;

pub async fn list(signed: Signed) -> Answer {
    signed.sees_now()?;
    let console = signed.console();
    let shell = signed.shell("/levels").await?;
    let environments = catalog::store::all_environments(&mut console.read().await?, console.seal_key()).await?;
    let count = |tier: Tier| environments.iter().filter(|row| row.tier() == tier).count();
    let counts = Tier::ALL.iter().map(|tier| (*tier, count(*tier))).collect();
    let may = console.would(&signed.caller, Action::SetLevel, None, Default::default()).is_none();
    Ok(shown(page::list(&shell, counts, may)))
}

pub async fn one(signed: Signed, Path(tier): Path<String>) -> Answer {
    signed.sees_now()?;
    Ok(shown(level_page(&signed, &tier, &Form::default()).await?))
}

async fn level_page(signed: &Signed, tier: &str, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let tier = Tier::from_code(tier).ok_or(Error::NotFound)?;
    let shell = signed.shell("/levels").await?;
    let mut db = console.read().await?;
    let rows = store::history(&mut db, tier.code(), console.seal_key()).await?;
    let mut names = Names::default();
    let mut history = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let before = rows.get(at + 1).and_then(|row| row.level()).unwrap_or(Level::built_in(tier));
        let Some(after) = row.level() else { continue };
        let pairs = settings(&before).into_iter().zip(settings(&after));
        history.push(Past {
            from: row.valid_from,
            until: row.valid_to,
            by: names.person(&mut db, signed.site(), &row.set_by).await?,
            changed: pairs.filter(|(was, is)| was.1 != is.1).map(|(was, is)| (was.0, was.1, is.1)).collect(),
        });
    }
    let refusal = console.would(&signed.caller, Action::SetLevel, None, Default::default());
    Ok(page::one(&shell, shell.levels.of(tier), history, refusal, form))
}

pub async fn set(signed: Signed, Path(tier): Path<String>, fields: Fields) -> Answer {
    let read = || -> Result<Level, Error> {
        let small = |name: &'static str| {
            u8::try_from(fields.number(name)?).map_err(|_| Error::invalid(name, "None, one or two."))
        };
        Ok(Level {
            tier: Tier::from_code(&tier).ok_or(Error::NotFound)?,
            grant_minutes: fields.number("grant_minutes")?,
            signers: small("signers")?,
            critical_signers: small("critical_signers")?,
            reveal: Reveal::from_code(fields.get("reveal")).ok_or_else(|| Error::invalid("reveal", "Choose one."))?,
            rotate_days: fields.number("rotate_days")?,
            dead_hours: fields.number("dead_hours")?,
            token_minutes: fields.number("token_minutes")?,
        })
    };
    // Whether they may at all comes before what is wrong with the form.
    let level = match read() {
        Ok(level) => level,
        Err(error) => {
            if let Some(refusal) = signed.console().would(&signed.caller, Action::SetLevel, None, Default::default()) {
                let event = crate::audit::event::Event::new(Action::SetLevel);
                return Err(signed.console().ledger.refuse(&signed.caller.who, event, refusal).await.into());
            }
            return Ok(mistaken(level_page(&signed, &tier, &fields.again(error, &[])?).await?));
        }
    };
    match levels::set_level(signed.console(), &signed.caller, level).await {
        Ok(outcome) => Ok(submitted(&format!("/levels/{tier}"), Action::SetLevel, outcome)),
        Err(error) => Ok(mistaken(level_page(&signed, &tier, &fields.again(error, &[])?).await?)),
    }
}
