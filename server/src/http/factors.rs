//! One's own second factors, and taking somebody's away who lost theirs.
use super::{
    Problem,
    visitor::{Fields, Signed, done, mistaken, shown},
};
use crate::{
    audit::ledger::Receipt,
    console::Console,
    db::Sql,
    people::factors::{self, Beginning, NewCodes, codes_left, store},
};
use app::{
    audit::action::Action,
    error::Error,
    people::page::{self, FactorLine},
    ui::Form,
};
use axum::{extract::Path, response::Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use webauthn_rs::Webauthn;

type Answer = Result<Response, Problem>;

/// Where second factors stand on one's own page.
const OWN: &str = "/account#h-factors";

/// The factors of a person, as pages list them.
pub(super) async fn factors(console: &Console, db: &mut impl Sql, person: &str) -> Result<Vec<FactorLine>, Error> {
    let rows = store::open_of(db, person, console.seal_key()).await?;
    let line = |row: store::Factor| {
        Some(FactorLine {
            kind: row.kind()?,
            left: codes_left(&row),
            id: row.id,
            name: row.name,
            since: row.valid_from,
            used_at: row.used_at,
        })
    };
    Ok(rows.into_iter().filter_map(line).collect())
}

pub async fn authenticator_page(signed: Signed) -> Answer {
    let beginning = factors::begin_authenticator(signed.console(), &signed.caller)?;
    Ok(shown(authenticator_form(&signed, beginning, &Form::default()).await?))
}

async fn authenticator_form(signed: &Signed, beginning: Beginning, form: &Form) -> Result<String, Error> {
    let shell = signed.shell("/account").await?;
    let picture = qrcode::QrCode::new(beginning.url.as_bytes()).map_err(|error| {
        tracing::error!(%error, "no picture of a key");
        Error::Unavailable
    })?;
    let picture = picture.render::<qrcode::render::svg::Color<'_>>().min_dimensions(184, 184).build();
    let picture = format!("data:image/svg+xml;base64,{}", STANDARD.encode(picture));
    Ok(page::authenticator(&shell, &beginning.setup, &beginning.secret, &picture, form))
}

pub async fn add_authenticator(signed: Signed, fields: Fields) -> Answer {
    let console = signed.console();
    let setup = fields.get("setup").to_owned();
    let added =
        factors::enrol_authenticator(console, &signed.caller, &setup, fields.get("name"), fields.get("code")).await;
    match added {
        Ok((receipt, codes)) => added_page(&signed, receipt, codes).await,
        Err(error) => {
            let form = fields.again(error, &["code"])?;
            // One that is too old begins again with another key; what was typed stays.
            let beginning = match factors::again_authenticator(console, &signed.caller, &setup) {
                Ok(beginning) => beginning,
                Err(_) => factors::begin_authenticator(console, &signed.caller)?,
            };
            Ok(mistaken(authenticator_form(&signed, beginning, &form).await?))
        }
    }
}

/// Back to the list; with the first factor, the recovery codes before.
async fn added_page(signed: &Signed, receipt: Receipt, codes: NewCodes) -> Answer {
    if codes.is_empty() {
        return Ok(done(OWN, Action::EnrolFactor, receipt));
    }
    codes_page(signed, codes).await
}

async fn codes_page(signed: &Signed, codes: NewCodes) -> Answer {
    let codes: Vec<String> = codes.iter().map(|code| code.to_string()).collect();
    Ok(shown(page::codes(&signed.shell("/account").await?, &codes)))
}

/// Passkeys work where the address has a name.
fn party(signed: &Signed) -> Result<&Webauthn, Error> {
    signed.site().passkeys.as_ref().ok_or(Error::NotFound)
}

pub async fn passkey_page(signed: Signed) -> Answer {
    Ok(shown(passkey_form(&signed, &Form::default()).await?))
}

async fn passkey_form(signed: &Signed, form: &Form) -> Result<String, Error> {
    let (options, setup) = factors::begin_passkey(signed.console(), &signed.caller, party(signed)?).await?;
    let shell = signed.shell("/account").await?;
    Ok(page::passkey(&shell, &setup, &options, form))
}

pub async fn add_passkey(signed: Signed, fields: Fields) -> Answer {
    let party = party(&signed)?;
    let (setup, name, answer) = (fields.get("setup"), fields.get("name"), fields.get("passkey"));
    let added = factors::enrol_passkey(signed.console(), &signed.caller, party, setup, name, answer).await;
    match added {
        Ok((receipt, codes)) => added_page(&signed, receipt, codes).await,
        Err(error) => {
            let form = fields.again(error, &["passkey"])?;
            Ok(mistaken(passkey_form(&signed, &form).await?))
        }
    }
}

pub async fn remove(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = factors::remove_factor(signed.console(), &signed.caller, &id).await?;
    Ok(done(OWN, Action::RemoveFactor, receipt))
}

pub async fn renew_codes(signed: Signed) -> Answer {
    let (_, codes) = factors::renew_codes(signed.console(), &signed.caller).await?;
    codes_page(&signed, codes).await
}

/// Of somebody who lost theirs.
pub async fn reset(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = factors::reset_factors(signed.console(), &signed.caller, &id).await?;
    Ok(done(&format!("/people/{id}"), Action::ResetFactors, receipt))
}
