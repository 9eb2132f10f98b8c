//! Enrolling and removing factors, and the codes on paper.
use super::{
    Authenticator, Codes, Proof, code_hash, codes_left, counts_from, passkeys, prove::about, question, store,
    store::Factor, totp, wrap, write,
};
use crate::{
    audit::{
        event::Event,
        ledger::{Receipt, Tx},
    },
    console::Console,
    keys, notifications,
    people::{self, Caller, about as about_person, own, store::Person},
    policies::Situation,
    vault,
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::{Conflict, Error, Refusal},
    id::FactorId,
    people::factors::{CODES, FRESH, Kind, MOST, Typed, grouped, typed},
    time::Moment,
};
use serde::{Deserialize, Serialize};
use webauthn_rs::{
    Webauthn,
    prelude::{PasskeyRegistration, RegisterPublicKeyCredential},
};
use zeroize::{Zeroize, Zeroizing};

/// How long a beginning waits for its end.
const SETS_UP: chrono::TimeDelta = chrono::TimeDelta::minutes(15);

/// A beginning of an enrolment, sealed into the page that ends it.
#[derive(Serialize, Deserialize)]
struct Setup {
    person: String,
    until: Moment,
    what: What,
}

#[derive(Serialize, Deserialize)]
enum What {
    Authenticator(Vec<u8>),
    Passkey(Box<PasskeyRegistration>),
}

impl Drop for Setup {
    fn drop(&mut self) {
        if let What::Authenticator(secret) = &mut self.what {
            secret.zeroize();
        }
    }
}

impl Setup {
    fn begin(console: &Console, caller: &Caller, what: What) -> Result<String, Error> {
        let setup = Self { person: caller.id().into(), until: console.now() + SETS_UP, what };
        question::seal(console, "setup", &setup)
    }

    fn open(console: &Console, caller: &Caller, text: &str) -> Result<Self, Error> {
        let setup: Option<Self> = question::open(console, "setup", text);
        let setup = setup.filter(|setup| setup.person == caller.id() && console.now() <= setup.until);
        setup.ok_or_else(|| Error::invalid("setup", "This page is older than 15 minutes. Begin again."))
    }
}

/// What an app needs to show codes: the sealed beginning, the secret in base 32, and both in one address for a picture.
pub struct Beginning {
    pub setup: String,
    pub secret: Zeroizing<String>,
    pub url: Zeroizing<String>,
}

impl Beginning {
    fn new(caller: &Caller, secret: &[u8], setup: String) -> Result<Self, Error> {
        let totp = totp(secret, &caller.person.login)?;
        Ok(Self {
            secret: Zeroizing::new(totp.secret().to_base32()),
            url: Zeroizing::new(totp.to_url().map_err(|_| Error::Unavailable)?),
            setup,
        })
    }
}

pub fn begin_authenticator(console: &Console, caller: &Caller) -> Result<Beginning, Error> {
    let secret: Zeroizing<[u8; 20]> = Zeroizing::new(keys::random().map_err(|_| Error::Unavailable)?);
    let setup = Setup::begin(console, caller, What::Authenticator(secret.to_vec()))?;
    Beginning::new(caller, &*secret, setup)
}

/// The same page again, after a mistake.
pub fn again_authenticator(console: &Console, caller: &Caller, setup: &str) -> Result<Beginning, Error> {
    let begun = Setup::open(console, caller, setup)?;
    let What::Authenticator(secret) = &begun.what else { return Err(Error::NotFound) };
    Beginning::new(caller, secret, setup.into())
}

/// What the browser hands to a device that is to keep a passkey: JSON, and the sealed beginning.
pub async fn begin_passkey(console: &Console, caller: &Caller, party: &Webauthn) -> Result<(String, String), Error> {
    let rows = store::open_of(&mut console.read().await?, caller.id(), console.seal_key()).await?;
    let known = rows.iter().filter(|row| row.kind() == Some(Kind::Passkey));
    let known = known.filter_map(|row| super::read::<webauthn_rs::prelude::Passkey>(row).ok());
    let exclude = known.map(|key| key.cred_id().clone()).collect();
    let person = &caller.person;
    let begun = party.start_passkey_registration(passkeys::handle(person), &person.login, &person.name, Some(exclude));
    let (options, state) = begun.map_err(|error| {
        tracing::error!(%error, "a passkey could not be asked for");
        Error::Unavailable
    })?;
    let options = serde_json::to_string(&options.public_key).map_err(|_| Error::Unavailable)?;
    Ok((options, Setup::begin(console, caller, What::Passkey(Box::new(state)))?))
}

/// Recovery codes, shown once.
pub type NewCodes = Vec<Zeroizing<String>>;

/// Ends the enrolment of an authenticator: one code shows that the app has the secret. With the first factor come recovery codes.
pub async fn enrol_authenticator(
    console: &Console,
    caller: &Caller,
    setup: &str,
    name: &str,
    code: &str,
) -> Result<(Receipt, NewCodes), Error> {
    let begun = Enrolment::begin(console, caller, name).await?;
    let setup = Setup::open(console, caller, setup)?;
    let What::Authenticator(secret) = &setup.what else { return Err(Error::NotFound) };
    let seconds = u64::try_from(console.now().timestamp()).unwrap_or_default();
    let step = match typed(code) {
        Some(Typed::Digits(code)) => {
            // It was typed before a question that may have taken its two minutes.
            let totp = totp(secret, &caller.person.login)?;
            (0..=5).find_map(|steps| totp.check(&code, seconds.saturating_sub(30 * steps)))
        }
        _ => None,
    };
    let wrong = || Error::invalid("code", "This is not the code that the app shows now. Is the phone’s clock right?");
    let step = step.ok_or_else(wrong)?;
    let id = console.id::<FactorId>()?.to_string();
    let data = write(&Authenticator { sealed: wrap(console, &id, secret)?, step })?;
    begun.finish(console, caller, id, Kind::Authenticator, data, None).await
}

/// Ends the enrolment of a passkey with what the device answered.
pub async fn enrol_passkey(
    console: &Console,
    caller: &Caller,
    party: &Webauthn,
    setup: &str,
    name: &str,
    answer: &str,
) -> Result<(Receipt, NewCodes), Error> {
    let begun = Enrolment::begin(console, caller, name).await?;
    let setup = Setup::open(console, caller, setup)?;
    let What::Passkey(state) = &setup.what else { return Err(Error::NotFound) };
    let answer: RegisterPublicKeyCredential = serde_json::from_str(answer).map_err(passkeys::failed)?;
    let key = party.finish_passkey_registration(&answer, state).map_err(passkeys::failed)?;
    let id = console.id::<FactorId>()?.to_string();
    let credential = app::audit::tree::hex(key.cred_id().as_slice());
    begun.finish(console, caller, id, Kind::Passkey, write(&key)?, Some(credential)).await
}

/// An enrolment under way: policy agreed, the person and their factors are locked.
struct Enrolment {
    tx: Tx,
    event: Event,
    person: Person,
    rows: Vec<Factor>,
    name: String,
}

impl Enrolment {
    async fn begin(console: &Console, caller: &Caller, name: &str) -> Result<Self, Error> {
        let name = vault::name(console, "name", name).await?;
        let (mut tx, event) =
            console.begin(caller, Action::EnrolFactor, about_person(&caller.person), own(true)).await?;
        let person = people::store::lock(&mut tx, caller.id(), console.seal_key()).await?.ok_or(Error::NotFound)?;
        let rows = store::lock_of(&mut tx, caller.id(), console.seal_key()).await?;
        // Since policy was asked a first one may have come: then it is what this has to be proved with.
        if rows.iter().any(Factor::stands_alone) && !caller.has_proved() {
            return Err(Error::Refused(Refusal::FactorNeeded));
        }
        let stale = caller.session().is_some_and(|session| console.now() - session.started_at > FRESH);
        // The first one has nothing else to lean on than a fresh sign-in; the others are proved with one that is there.
        if stale && !rows.iter().any(Factor::stands_alone) {
            return Err(tx.refuse(event, Refusal::SignInAgain).await);
        }
        if rows.iter().filter(|row| row.stands_alone()).count() >= MOST {
            return Err(Error::invalid("name", "Ten are enough. Remove one that you no longer use."));
        }
        Ok(Self { tx, event, person, rows, name })
    }

    async fn finish(
        self,
        console: &Console,
        caller: &Caller,
        id: String,
        kind: Kind,
        data: String,
        credential: Option<String>,
    ) -> Result<(Receipt, NewCodes), Error> {
        let Self { mut tx, event, person, rows, name } = self;
        // The first one, and one after a code on paper, counts after a day.
        let counts_from = Some(counts_from(caller.proved, console.now()));
        let row = Factor { counts_from, ..new_row(console, id, &person, kind, name.clone(), data, credential) };
        if store::insert(&mut tx, &row).await? == 0 {
            return Err(Error::invalid("passkey", "This passkey belongs to an account already."));
        }
        tx.seal(&row)?;
        // And it makes the account a new one, unless an older factor vouches for it.
        let vouched = caller.proved.is_some_and(|proof| proof.kind.stands_alone());
        let is_first = !rows.iter().any(Factor::stands_alone);
        let factor_at = if is_first || !vouched { Some(row.valid_from) } else { person.factor_at };
        let person = Person { factor_at, ..person };
        people::store::save(&mut tx, &person).await?;
        tx.seal(&person)?;
        notifications::tell(console, &mut tx, [person.id.as_str()], "factor.enrolled", &person.id).await?;
        let mut events = vec![event.on(about(&row)).detail("factor", kind.code()).private("name", name)];
        let mut codes = NewCodes::new();
        if !rows.iter().any(|row| row.kind() == Some(Kind::Recovery) && codes_left(row) > 0) {
            let (made, of_codes) = make_codes(console, &mut tx, &person, rows, caller.proved).await?;
            codes = made;
            events.extend(of_codes);
        }
        Ok((tx.commit(events).await?, codes))
    }
}

fn new_row(
    console: &Console,
    id: String,
    person: &Person,
    kind: Kind,
    name: String,
    data: String,
    credential: Option<String>,
) -> Factor {
    Factor {
        id,
        person_id: person.id.clone(),
        kind: kind.code().into(),
        name,
        data,
        credential,
        valid_from: console.now(),
        counts_from: None,
        used_at: None,
        valid_to: None,
        event_seq: 0,
        row_mac: Vec::new(),
    }
}

/// Codes on paper instead of those among these rows, used up or not; the event of the new ones first.
async fn make_codes(
    console: &Console,
    tx: &mut Tx,
    person: &Person,
    rows: Vec<Factor>,
    vouched: Option<Proof>,
) -> Result<(NewCodes, Vec<Event>), Error> {
    let mut ended = Vec::new();
    for row in rows.into_iter().filter(|row| row.kind() == Some(Kind::Recovery)) {
        ended.push(close(console, tx, row).await?);
    }
    let mut codes = NewCodes::new();
    for _ in 0..CODES {
        let bytes: Zeroizing<[u8; 16]> = Zeroizing::new(keys::random().map_err(|_| Error::Unavailable)?);
        let letters = bytes.iter().map(|byte| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(byte % 32)]));
        codes.push(Zeroizing::new(letters.collect()));
    }
    let counts_from = Some(counts_from(vouched, console.now()));
    let left = codes.iter().map(|code| code_hash(code)).collect();
    let id = console.id::<FactorId>()?.to_string();
    let data = write(&Codes { left })?;
    let row = Factor { counts_from, ..new_row(console, id, person, Kind::Recovery, String::new(), data, None) };
    store::insert(tx, &row).await?;
    tx.seal(&row)?;
    let codes = codes.iter().map(|code| Zeroizing::new(grouped(code))).collect();
    let made = Event::new(Action::RenewCodes).on(about(&row)).detail("codes", CODES as u64);
    Ok((codes, std::iter::once(made).chain(ended).collect()))
}

/// New recovery codes; those before count no more.
pub async fn renew_codes(console: &Console, caller: &Caller) -> Result<(Receipt, NewCodes), Error> {
    let (mut tx, event) = console.begin(caller, Action::RenewCodes, about_person(&caller.person), own(true)).await?;
    let person = people::store::lock(&mut tx, caller.id(), console.seal_key()).await?.ok_or(Error::Unauthenticated)?;
    let rows = store::lock_of(&mut tx, caller.id(), console.seal_key()).await?;
    if !rows.iter().any(Factor::stands_alone) {
        return Err(tx.refuse(event, Refusal::NoFactor).await);
    }
    // Codes that a code on paper asked for are as good as a new factor: they decide nothing for a day.
    let as_new = !caller.proved.is_none_or(|proof| proof.kind.stands_alone());
    let person = if as_new { Person { factor_at: Some(console.now()), ..person } } else { person };
    people::store::save(&mut tx, &person).await?;
    tx.seal(&person)?;
    let (codes, mut events) = make_codes(console, &mut tx, &caller.person, rows, caller.proved).await?;
    if let Some(made) = events.first_mut() {
        made.policy = event.policy;
    }
    Ok((tx.commit(events).await?, codes))
}

async fn close(console: &Console, tx: &mut Tx, row: Factor) -> Result<Event, Error> {
    let row = Factor { valid_to: Some(console.now()), ..row };
    store::save(tx, &row).await?;
    tx.seal(&row)?;
    Ok(Event::new(Action::RemoveFactor).on(about(&row)).detail("factor", row.kind.clone()))
}

/// Removes one of one's own. With the last one that stands alone the recovery codes go too.
pub async fn remove_factor(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let subject = Subject { row: Some(id.into()), ..about_person(&caller.person) };
    let (mut tx, event) = console.begin(caller, Action::RemoveFactor, subject, own(true)).await?;
    let mut rows = store::lock_of(&mut tx, caller.id(), console.seal_key()).await?;
    let at = rows.iter().position(|row| row.id == id && row.stands_alone()).ok_or(Error::NotFound)?;
    let removed = close(console, &mut tx, rows.remove(at)).await?;
    let mut events = vec![Event { policy: event.policy, ..removed }];
    if !rows.iter().any(Factor::stands_alone) {
        for row in rows {
            events.push(close(console, &mut tx, row).await?);
        }
    }
    tx.commit(events).await
}

/// Takes every factor of somebody away who lost theirs. The two count as one person for a week, as after a link.
pub async fn reset_factors(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let subject = Subject { person: Some(id.into()), ..Subject::default() };
    let (mut tx, event) = console.begin(caller, Action::ResetFactors, subject, Situation::default()).await?;
    if id == caller.id() {
        // Their own they remove one by one, with proof.
        return Err(tx.refuse(event, Refusal::OwnChange).await);
    }
    let person = people::store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let removed = close_factors(console, &mut tx, id).await?;
    if removed.is_empty() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let person = Person { set_up_by: Some(caller.id().into()), set_up_at: Some(console.now()), ..person };
    people::store::save(&mut tx, &person).await?;
    tx.seal(&person)?;
    notifications::tell(console, &mut tx, [id], "factor.reset", id).await?;
    let mut events = vec![event];
    events.extend(removed);
    events.extend(people::close_sessions(console, &mut tx, id, None).await?);
    events.extend(people::tokens::end_access_tokens_of(console, &mut tx, id).await?);
    tx.commit(events).await
}

/// Ends every factor of a person within a change; an event for each.
pub(in crate::people) async fn close_factors(console: &Console, tx: &mut Tx, id: &str) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for row in store::lock_of(tx, id, console.seal_key()).await? {
        events.push(close(console, tx, row).await?);
    }
    Ok(events)
}
