//! Answering a question with a factor.
use super::{
    super::store::Person,
    Authenticator, Codes, code_hash,
    question::{For, Question},
    read, store,
    store::Factor,
    totp, unwrap, write,
};
use crate::{
    audit::event::{Event, Who},
    console::Console,
    notifications,
    people::store as people,
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::{Error, Refusal},
    people::factors::{Kind, Typed, typed},
    time::Moment,
};
use webauthn_rs::{
    Webauthn,
    prelude::{Passkey, PublicKeyCredential},
};

/// A proof that was taken, for the one request that it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    pub kind: Kind,
    /// From when what it proves opens what is critical.
    pub counts_from: Moment,
}

/// What came back: a typed code, or a passkey's answer as the browser gives it.
pub struct Answer<'a> {
    pub code: &'a str,
    pub passkey: &'a str,
}

/// Asks. The second part is what the browser hands to its passkeys, as JSON; empty where none of theirs can answer here.
pub async fn ask(
    console: &Console,
    party: Option<&Webauthn>,
    person: &Person,
    purpose: For,
    path: &str,
    body: &str,
) -> Result<(Question, String), Error> {
    let mut question = Question::new(console, person, purpose, path, body)?;
    let rows = store::open_of(&mut console.read().await?, &person.id, console.seal_key()).await?;
    let keys = rows.iter().filter(|row| row.kind() == Some(Kind::Passkey));
    let keys: Vec<Passkey> = keys.map(read).collect::<Result<_, _>>()?;
    let Some(party) = party.filter(|_| !keys.is_empty()) else { return Ok((question, String::new())) };
    let (options, state) = party.start_passkey_authentication(&keys).map_err(|error| {
        tracing::error!(%error, "passkeys could not be asked");
        Error::Unavailable
    })?;
    question.passkey = Some(state);
    Ok((question, serde_json::to_string(&options.public_key).map_err(|_| Error::Unavailable)?))
}

/// Takes an answer, once. What was wrong with it is an event too.
pub async fn prove(
    console: &Console,
    party: Option<&Webauthn>,
    origin: &Who,
    question: &Question,
    answer: &Answer<'_>,
) -> Result<Proof, Error> {
    let now = console.now();
    // Whoever knows the password guesses at the door alone.
    let account = format!("factor {:?} {}", question.purpose, question.person);
    let subject = Subject { person: Some(question.person.clone()), ..Subject::default() };
    let event = Event::new(Action::ProveFactor).on(subject).detail("for", question.path.clone());
    let event = event.detail("digest", question.digest());
    if !console.attempts.may_prove(&account, now) {
        return Err(console.ledger.refuse(origin, event, Refusal::TooManyAttempts).await);
    }
    // Six digits can be guessed; a code on paper cannot, nor what a passkey answers.
    let digits = answer.passkey.is_empty() && matches!(typed(answer.code), Some(Typed::Digits(_)));
    if digits && !console.attempts.may_guess(&account, now) {
        return Err(console.ledger.refuse(origin, event, Refusal::TooManyGuesses).await);
    }
    // Counted before it is looked at: many at once are not many free guesses.
    console.attempts.proving(&account, now);
    if digits {
        console.attempts.guessed(&account, now);
    }
    let mut tx = console.ledger.begin(origin).await?;
    let person = people::lock(&mut tx, &question.person, console.seal_key()).await?.ok_or(Error::Unauthenticated)?;
    if !person.is_active() {
        return Err(tx.refuse(event, Refusal::Disabled).await);
    }
    let rows = store::lock_of(&mut tx, &person.id, console.seal_key()).await?;
    let used = if now > question.until { None } else { fits(console, party, &person, rows, question, answer)? };
    let Some((row, kind)) = used else { return Err(tx.refuse(event, Refusal::WrongFactor).await) };
    if store::use_proof(&mut tx, &question.id, question.until).await? == 0 {
        return Err(tx.refuse(event, Refusal::WrongFactor).await);
    }
    let counts_from = row.counts_from();
    let row = Factor { used_at: Some(now), ..row };
    store::save(&mut tx, &row).await?;
    tx.seal(&row)?;
    if kind == Kind::Recovery {
        notifications::tell(console, &mut tx, [person.id.as_str()], "factor.recovery", &person.id).await?;
    }
    let event = event.on(about(&row)).detail("factor", kind.code());
    tx.commit(vec![if question.purpose == For::SignIn { event.detail("signs_in", true) } else { event }]).await?;
    console.attempts.proved(&account);
    if digits {
        console.attempts.guessed_right(&account);
    }
    Ok(Proof { kind, counts_from })
}

pub(super) fn about(row: &Factor) -> Subject {
    Subject { person: Some(row.person_id.clone()), row: Some(row.id.clone()), ..Subject::default() }
}

/// The factor that the answer is of, as it is after this use; none where it is of none.
fn fits(
    console: &Console,
    party: Option<&Webauthn>,
    person: &Person,
    rows: Vec<Factor>,
    question: &Question,
    answer: &Answer<'_>,
) -> Result<Option<(Factor, Kind)>, Error> {
    if !answer.passkey.is_empty() {
        return Ok(passkey_fits(party, rows, question, answer.passkey));
    }
    match typed(answer.code) {
        Some(Typed::Digits(code)) => digits_fit(console, person, rows, &code),
        Some(Typed::Recovery(code)) => recovery_fits(rows, &code),
        None => Ok(None),
    }
}

fn passkey_fits(
    party: Option<&Webauthn>,
    rows: Vec<Factor>,
    question: &Question,
    answer: &str,
) -> Option<(Factor, Kind)> {
    let answer: PublicKeyCredential = serde_json::from_str(answer).ok()?;
    let result = party?.finish_passkey_authentication(&answer, question.passkey.as_ref()?);
    let result = result.inspect_err(|error| tracing::info!(%error, "a passkey's answer did not hold")).ok()?;
    let known = rows.into_iter().filter(|row| row.kind() == Some(Kind::Passkey));
    for row in known {
        // Only one that is still enrolled: the question may be older than its removal.
        let Ok(mut key) = read::<Passkey>(&row) else { continue };
        if key.update_credential(&result).is_some() {
            return Some((Factor { data: write(&key).ok()?, ..row }, Kind::Passkey));
        }
    }
    None
}

fn digits_fit(
    console: &Console,
    person: &Person,
    rows: Vec<Factor>,
    code: &str,
) -> Result<Option<(Factor, Kind)>, Error> {
    let seconds = u64::try_from(console.now().timestamp()).unwrap_or_default();
    for row in rows.into_iter().filter(|row| row.kind() == Some(Kind::Authenticator)) {
        let kept: Authenticator = read(&row)?;
        let secret = unwrap(console, &row.id, &kept.sealed)?;
        let step = totp(&secret, &person.login)?.check(code, seconds).filter(|step| *step > kept.step);
        if let Some(step) = step {
            return Ok(Some((Factor { data: write(&Authenticator { step, ..kept })?, ..row }, Kind::Authenticator)));
        }
    }
    Ok(None)
}

fn recovery_fits(rows: Vec<Factor>, code: &str) -> Result<Option<(Factor, Kind)>, Error> {
    let hash = code_hash(code);
    for row in rows.into_iter().filter(|row| row.kind() == Some(Kind::Recovery)) {
        let mut kept: Codes = read(&row)?;
        let before = kept.left.len();
        kept.left.retain(|left| *left != hash);
        if kept.left.len() < before {
            return Ok(Some((Factor { data: write(&kept)?, ..row }, Kind::Recovery)));
        }
    }
    Ok(None)
}
