//! How a secret rotates: the form, the part of the secret's page, what an environment's secrets inherit.
use super::{Line, badge};
use crate::{
    error::Refusal,
    levels::model::Level,
    policies::model::Tier,
    rotations::{
        model::{Alphabet, RotatorKind, Step},
        schedule::{Run, Timing},
    },
    session::Shell,
    time::{self, Moment},
    ui::{self, Band, Form},
};
use leptos::prelude::*;

/// A secret's plan, as its page shows it.
pub struct PlanView {
    pub words: &'static str,
    /// Whom new values are sent to.
    pub target: String,
    pub overlap_minutes: i64,
    pub hold: bool,
    pub approval_first: bool,
    /// When the service rotates it, as a sentence, and where that was set.
    pub schedule: String,
    pub origin: &'static str,
    pub due: Option<Moment>,
    pub runs: Vec<Run>,
    pub paused_until: Option<Moment>,
    pub set_by: String,
    pub confirmed_by: Option<String>,
    /// It has to be confirmed before it is carried out.
    pub unconfirmed: bool,
}

/// What the page of a secret says of its rotation.
#[derive(Default)]
pub struct SecretRotation {
    pub plan: Option<PlanView>,
    pub last: Vec<Line>,
    /// Open cases: id, words.
    pub cases: Vec<(String, String)>,
    pub configure: Option<Refusal>,
    pub start: Option<Refusal>,
    pub confirm: Option<Refusal>,
    pub pause: Option<Refusal>,
}

pub fn part(secret: &str, view: SecretRotation, now: Moment) -> AnyView {
    let may_set = view.configure.is_none();
    // One whose old value is dead only waits to look again.
    let running = view.last.iter().any(|line| line.ended_at.is_none() && line.step != Step::VerifiedDead);
    let ready = view.plan.as_ref().is_some_and(|plan| !plan.unconfirmed);
    let paused = view.plan.as_ref().and_then(|plan| plan.paused_until);
    let may_pause = view.pause.is_none() && view.plan.as_ref().is_some_and(|plan| plan.due.is_some());
    let plan = match view.plan {
        Some(plan) => how(secret, plan, view.confirm, now),
        None => ui::text("Nothing is set: this secret is rotated by hand, outside Countersign."),
    };
    let may_start = ready && !running && view.start.is_none();
    let start = may_start.then(|| ui::act(format!("/secrets/{secret}/rotate"), "Rotate now", vec![]));
    let check = may_start.then(|| ui::act(format!("/secrets/{secret}/rotation/check"), "Check first", vec![]));
    let open = view.last.iter().any(|line| line.ended_at.is_none());
    let set = (may_set && !open)
        .then(|| view! { <a class="button plain" href=format!("/secrets/{secret}/rotation")>"Set how it rotates"</a> });
    let pause = match paused {
        Some(_) if view.pause.is_none() => {
            Some(ui::act(format!("/secrets/{secret}/rotation/resume"), "End the pause", vec![]))
        }
        None if may_pause => Some(pause_form(secret)),
        _ => None,
    };
    let cases = view
        .cases
        .into_iter()
        .map(|(id, words)| view! { <li>{ui::link(format!("/cases/{id}"), words)}</li> })
        .collect::<Vec<_>>();
    let rows: Vec<Vec<AnyView>> = view
        .last
        .into_iter()
        .map(|line| {
            vec![
                ui::link(format!("/rotations/{}", line.id), line.started_at.format("%-d %b %Y, %H:%M UTC").to_string()),
                badge(line.step, line.grade),
                ui::text(line.trigger),
                ui::when_about(line.ended_at.unwrap_or(line.started_at), now),
            ]
        })
        .collect();
    view! {
        {(!cases.is_empty()).then(|| view! { <ul class="plain">{cases}</ul> })}
        {plan}
        <div class="actions pad">{start}{check}{set}<a class="button plain" href=format!("/secrets/{secret}/leak")>"Report a leak"</a></div>
        {pause}
        {(!rows.is_empty()).then(|| view! {
            {ui::table("Rotations, newest first", &["Begun", "State", "Why", "Since"], rows)}
            <p class="pad"><a href=format!("/rotations?secret={secret}")>"Every rotation of this secret"</a></p>
        })}
    }
    .into_any()
}

fn pause_form(secret: &str) -> AnyView {
    view! {
        <details class="more"><summary>"Pause its schedule"</summary>
            <form class="row pad" method="post" action=format!("/secrets/{secret}/rotation/pause")>
                <label class="field"><span class="label">"Days"</span><input class="input" name="days" type="number" min="1" max="30" value="7" /></label>
                <label class="field"><span class="label">"Why"</span><input class="input" name="reason" maxlength="200" required /></label>
                <button class="button" type="submit">"Pause"</button>
            </form>
        </details>
    }
    .into_any()
}

/// What makes the new value, when, and why then.
fn how(secret: &str, plan: PlanView, confirm: Option<Refusal>, now: Moment) -> AnyView {
    let overlap = match (plan.overlap_minutes, plan.hold) {
        (0, _) => "The old value is disabled at once.".to_owned(),
        (minutes, hold) => format!(
            "The old value works for {} beside the new one, or until everybody has moved{}.",
            time::span(chrono::TimeDelta::minutes(minutes)),
            if hold { "; whoever has not by then holds it up, by name" } else { "" }
        ),
    };
    let confirmed = match (&plan.confirmed_by, plan.unconfirmed) {
        (Some(name), _) => format!("Set by {}, confirmed by {name}.", plan.set_by),
        (None, true) => format!(
            "Set by {}. Nothing is rotated before somebody of security confirms where the values go.",
            plan.set_by
        ),
        (None, false) => format!("Set by {}.", plan.set_by),
    };
    let first = plan.approval_first.then_some(" Somebody else agrees before each rotation begins.");
    let why = format!("{} {}", plan.schedule, sentence(plan.origin));
    let next = match (plan.paused_until, plan.due) {
        (Some(until), _) => {
            view! { {ui::badge("attention", "Paused")}" until "{ui::when_about(until, now)} }.into_any()
        }
        (None, Some(due)) if due <= now => {
            view! { {ui::badge("danger", "Due")}" since "{ui::when_about(due, now)} }.into_any()
        }
        (None, Some(due)) => ui::when_about(due, now),
        (None, None) => ui::text("By hand alone."),
    };
    let runs: Vec<Vec<AnyView>> = plan
        .runs
        .into_iter()
        .map(|run| vec![ui::text(run.local), ui::when_short(run.at), ui::text(run.note.unwrap_or_default())])
        .collect();
    let confirm = match confirm {
        _ if !plan.unconfirmed => None,
        None => Some(ui::act(format!("/secrets/{secret}/rotation/confirm"), "Confirm this plan", vec![])),
        // Theirs to confirm, and not by them, or not yet.
        Some(why) => (why != Refusal::NoRule).then(|| ui::text(why.to_string())),
    };
    view! {
        <p><b>{plan.words}</b>{(!plan.target.is_empty()).then(|| view! { " · "<code>{plan.target.clone()}</code> })}</p>
        {ui::facts(vec![("Next rotation", next), ("Why then", ui::text(why))])}
        {(!runs.is_empty()).then(|| view! { <details class="more"><summary>"Next five times"</summary>{ui::table("Next times", &["In its zone", "UTC", "Clocks"], runs)}</details> })}
        <p class="muted">{overlap}{first}" "{confirmed}</p>
        {confirm.map(|confirm| view! { <div class="actions pad">{confirm}</div> })}
    }
    .into_any()
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

pub struct PlanForm {
    pub secret: String,
    pub path: String,
    pub project: (String, String),
    pub environment: String,
    pub tier: Tier,
    pub kinds: Vec<RotatorKind>,
    /// What its environment says, as a sentence.
    pub inherited: String,
    /// Database accounts of the same environment: id and path.
    pub admins: Vec<(String, String)>,
    /// Other secrets of the same environment.
    pub keys: Vec<(String, String)>,
}

/// The fields of a schedule; which of them show follows the choice, by style alone.
fn schedule_fields(form: &Form, timings: Vec<(String, String)>, level: &Level) -> AnyView {
    let oldest = level.rotate_days;
    view! {
        {ui::pick(form, "timing", "When it rotates", "", timings)}
        <div class="when-age stacked">
            <div class="field"><label for="every">"Days"</label>
                <input class="input" id="every" name="every" type="number" min="1" max=oldest value=form.value("every") aria-describedby="every-hint" />
                <p class="hint" id="every-hint">{format!("Rotated when a value is that old. At most {oldest} at this protection level.")}</p>
                {form.error("every").map(|why| view! { <p class="wrong" role="alert">{why}</p> })}
            </div>
        </div>
        <div class="when-cron stacked">
            {ui::input(form, "cron", "Cron expression", "text", "Minute, hour, day of the month, month, day of the week. 0 3 * * 0 is Sundays at 03:00.")}
            {ui::input(form, "zone", "Zone", "text", "IANA name, for example Europe/Berlin. Clocks that change are shown with the next times.")}
            {ui::input(form, "window", "Window in minutes", "number", "It begins somewhere in the first half of it, at most ten minutes late; what cannot begin within it is missed, and said.")}
        </div>
    }
    .into_any()
}

pub fn plan(shell: &Shell, view: PlanForm, form: &Form) -> String {
    let band = Band { project: view.project.1.clone(), environment: view.environment.clone(), tier: view.tier };
    ui::page(shell, "How it rotates", Some(band), || {
        let kinds = view.kinds.iter().map(|kind| (kind.code().to_owned(), kind.words().to_owned())).collect();
        let mut admins = vec![(String::new(), "the account itself".to_owned())];
        admins.extend(view.admins.clone());
        let mut keys = vec![(String::new(), "choose one".to_owned())];
        keys.extend(view.keys.clone());
        let confirm = (view.tier != Tier::Development).then(|| {
            view! {
                <div class="for-target">{ui::callout(
                    "info",
                    "Somebody of security confirms it",
                    "A second person agrees where values are sent, before anything is rotated.",
                )}</div>
            }
        });
        let timings = Timing::ALL
            .iter()
            .map(|timing| match timing {
                Timing::Inherited => (timing.code().to_owned(), format!("{}: {}", timing.words(), view.inherited)),
                _ => (timing.code().to_owned(), timing.words().to_owned()),
            })
            .collect();
        let yes_no = |no: &str, yes: &str| vec![("no".to_owned(), no.to_owned()), ("yes".to_owned(), yes.to_owned())];
        let letters =
            Alphabet::ALL.iter().map(|letters| (letters.code().to_owned(), letters.words().to_owned())).collect();
        let postgres = view.kinds.contains(&RotatorKind::PostgresSingle);
        view! {
            {ui::crumbs(vec![("Projects".into(), Some("/projects".into())), (view.project.1.clone(), Some(format!("/projects/{}", view.project.0))), (view.path.clone(), Some(format!("/secrets/{}", view.secret))), ("Rotation".into(), None)])}
            {ui::head("How it rotates", "What makes the new value, where it is set, when, and how long the old one goes on.", None)}
            <form class="sheet plan" method="post" action=format!("/secrets/{}/rotation", view.secret)>
                {ui::pick(form, "kind", "What rotates it", "", kinds)}
                {postgres.then(|| view! {
                    <fieldset class="for-postgres stacked"><legend class="label">"The PostgreSQL server"</legend>
                        {ui::text_area(form, "endpoints", "Servers", "One host:port in a line: the primary first, then every replica and pooler that takes this credential. Each is asked whether the old one is dead.")}
                        {ui::input(form, "database", "Database", "text", "Where the account may connect.")}
                        {ui::text_area(form, "roles", "Two roles in turn", "Only for two roles: both names, one in a line. The value names the one in use.")}
                        {ui::pick(form, "admin", "Changed by", "Two roles, and an end of its own, need an account that may alter the role.", admins)}
                        {ui::pick(form, "tls", "Connection", "Certificates are verified against the system’s roots.", vec![("yes".into(), "TLS, verified".into()), ("no".into(), "without TLS, on this host only".into())])}
                        {ui::pick(form, "sessions", "Sessions of the old value", "A session outlives a change of password.", vec![("end".into(), "end them".into()), ("wait".into(), "wait until they are gone".into())])}
                        {ui::input(form, "dies", "Dies by itself after days", "number", "The server refuses a new password from then on (VALID UNTIL), even if Countersign is off. 0: never.")}
                    </fieldset>
                })}
                <fieldset class="for-webhook stacked"><legend class="label">"The receiver"</legend>
                    {ui::input(form, "url", "Address", "url", "https:// of what you run beside the target. The contract is in the README: four signed calls.")}
                    {ui::pick(form, "signing", "Signed with", "A secret of this environment, at least 24 characters or whsec_… (Standard Webhooks). The receiver knows it too.", keys)}
                    {ui::text_area(form, "places", "Endpoints", "Optional. What the receiver can ask about a credential, one name in a line: each has to refuse the old one.")}
                </fieldset>
                {schedule_fields(form, timings, shell.levels.of(view.tier))}
                {ui::input(form, "overlap", "Minutes that the old value goes on", "number", "None disables it at once; it ends early when every known consumer has the new one. At most 43,200 (30 days).")}
                {ui::pick(form, "hold", "Whoever still uses it then", "", yes_no("has to follow, and is named in the record", "holds it up: a person decides"))}
                {ui::pick(form, "first", "Before each rotation", "Never asked after a leak or a leaver.", yes_no("nobody is asked", "somebody else agrees"))}
                {ui::input(form, "length", "Length of the new value", "number", "20 to 128 characters, worth 100 bits at the least.")}
                {ui::pick(form, "letters", "Made of", "Without look-alikes, hexadecimal digits aside.", letters)}
                {ui::input(form, "forbidden", "Characters that the target cannot take", "text", "For example -~")}
                {ui::input(form, "again", "Values not typed again", "number", "So many versions back, 1 to 24. What is generated never repeats.")}
                {confirm}
                <div class="actions"><button class="button primary" type="submit">"Set"</button><a class="button plain" href=format!("/secrets/{}", view.secret)>"Cancel"</a></div>
            </form>
        }
        .into_any()
    })
}

/// Whether a rotation would work, asked of the target now.
pub fn checked(shell: &Shell, secret: &str, path: &str, works: Result<String, String>, seq: u64) -> String {
    ui::page(shell, "Check of a rotation", None, || {
        let answer = match works {
            Ok(seen) => ui::callout("good", "It will work", seen),
            Err(why) => ui::callout("danger", "It will not work now", format!("{why}. Nothing was changed.")),
        };
        view! {
            {ui::crumbs(vec![(path.to_owned(), Some(format!("/secrets/{secret}"))), ("Check".into(), None)])}
            {ui::head("Would a rotation work?", "The target was asked with the present value, and not touched.", None)}
            {answer}
            <div class="actions pad"><a class="button" href=format!("/secrets/{secret}")>"Back to the secret"</a><a class="button plain" href=format!("/audit/{seq}")>{format!("Event {seq}")}</a></div>
        }
        .into_any()
    })
}

/// What the secrets of an environment inherit: shown on its page.
pub struct DefaultView {
    pub environment: String,
    pub tier: Tier,
    pub words: String,
    pub set_by: Option<String>,
    pub runs: Vec<Run>,
    pub refusal: Option<Refusal>,
}

pub fn default_part(view: DefaultView, form: &Form, level: &Level) -> AnyView {
    let timings = Timing::ALL
        .iter()
        .map(|timing| match timing {
            Timing::Inherited => (timing.code().to_owned(), "As its protection level says".to_owned()),
            _ => (timing.code().to_owned(), timing.words().to_owned()),
        })
        .collect();
    let runs: Vec<Vec<AnyView>> = view
        .runs
        .into_iter()
        .map(|run| vec![ui::text(run.local), ui::when_short(run.at), ui::text(run.note.unwrap_or_default())])
        .collect();
    let by = view.set_by.map(|name| format!(" Set by {name}."));
    let change = match view.refusal {
        Some(refusal) => view! { <p class="muted">{refusal.to_string()}</p> }.into_any(),
        None => view! {
            <details class="more" open=!form.errors.is_empty()><summary>"Change it"</summary>
                <form class="stacked pad" method="post" action=format!("/environments/{}/schedule", view.environment)>
                    {schedule_fields(form, timings, level)}
                    <div class="actions"><button class="button" type="submit">"Set"</button></div>
                </form>
            </details>
        }
        .into_any(),
    };
    view! {
        <p>{view.words}{by}</p>
        {(!runs.is_empty()).then(|| ui::table("Next times", &["In its zone", "UTC", "Clocks"], runs))}
        {change}
    }
    .into_any()
}
