//! Rotations as a list, one as a timeline of steps, and the form for how a secret rotates.
use super::model::{Choice, Grade, RotatorKind, Step, choices};
use crate::{
    error::Refusal,
    policies::model::Tier,
    session::Shell,
    time::{self, Moment},
    ui::{self, Band, Form},
};
use leptos::prelude::*;

pub struct Line {
    pub id: String,
    pub path: String,
    pub project: String,
    pub tier: Tier,
    pub step: Step,
    pub reason: Option<String>,
    pub grade: Option<Grade>,
    pub trigger: &'static str,
    pub started_at: Moment,
    pub ended_at: Option<Moment>,
}

/// How a rotation stands, in a word.
pub fn badge(step: Step, grade: Option<Grade>) -> AnyView {
    match (step, grade) {
        (Step::NeedsPerson, _) => ui::badge("danger", "Needs a person"),
        (Step::Closed | Step::VerifiedDead, Some(grade @ Grade::Proved)) => {
            ui::badge("good", format!("Old value {}", grade.words()))
        }
        (Step::Closed, Some(grade)) => ui::badge("attention", format!("Old value {}", grade.words())),
        (Step::RolledBack | Step::Superseded, _) => ui::badge("ended", step.words()),
        _ => ui::badge("wait", step.words()),
    }
}

/// A moment in two short lines, for a column whose heading states the zone.
fn brief(moment: Moment, now: Moment) -> AnyView {
    view! { <span class="nowrap">{ui::when_short(moment)}<small class="muted block">{format!("{} ago", time::about(now - moment))}</small></span> }.into_any()
}

pub fn list(shell: &Shell, open: Vec<Line>, ended: Vec<Line>) -> String {
    ui::page(shell, "Rotations", None, || {
        let now = shell.now;
        let (running, done) = (open.len(), ended.len());
        let stuck = open.iter().filter(|line| line.step == Step::NeedsPerson).count();
        let rows = |lines: Vec<Line>| {
            lines
                .into_iter()
                .map(|line| {
                    vec![
                        ui::link(format!("/rotations/{}", line.id), line.path),
                        view! { {line.project}" "{ui::env(line.tier)} }.into_any(),
                        view! { {badge(line.step, line.grade)}{line.reason.map(|why| view! { <small class="block muted">{why}</small> })} }.into_any(),
                        view! { <span class="nowrap">{line.trigger}</span> }.into_any(),
                        brief(line.ended_at.unwrap_or(line.started_at), now),
                    ]
                })
                .collect::<Vec<_>>()
        };
        view! {
            {ui::head("Rotations", "A new credential takes the place of an old one, and the old one is shown to be dead.", None)}
            {(stuck > 0).then(|| ui::callout("danger", format!("{stuck} stopped"), "The machine does not guess: somebody has to say how these go on. No value was discarded."))}
            {ui::group("Under way", running, "longest first")}
            {if running == 0 {
                ui::empty("Nothing rotates now", "Start a rotation on the page of a secret that has a plan.", Some(("/projects".into(), "Find a secret")))
            } else {
                ui::table("Rotations under way", &["Secret", "Where", "State", "Begun", "Since, UTC"], rows(open))
            }}
            {ui::group("Ended", done, "newest first")}
            {if done == 0 {
                ui::empty("None yet", "Every rotation stays here, with what the target answered.", None)
            } else {
                ui::table("Rotations that ended", &["Secret", "Where", "State", "Begun", "Ended, UTC"], rows(ended))
            }}
        }
        .into_any()
    })
}

/// One event of a rotation.
pub struct Moved {
    pub seq: u64,
    pub at: Moment,
    pub words: String,
    pub by: String,
    pub evidence: Vec<String>,
    /// It went wrong.
    pub wrong: bool,
}

pub struct RotationView {
    pub id: String,
    pub secret: String,
    pub path: String,
    pub project: (String, String),
    pub environment: String,
    pub tier: Tier,
    pub step: Step,
    pub stopped: Option<Step>,
    pub reason: Option<String>,
    pub grade: Option<Grade>,
    pub rotator: &'static str,
    pub trigger: &'static str,
    pub started_by: String,
    pub started_at: Moment,
    pub next_at: Option<Moment>,
    pub from_version: i32,
    pub to_version: Option<i32>,
    pub promoted_at: Option<Moment>,
    pub overlap_until: Option<Moment>,
    pub dead_at: Option<Moment>,
    pub ended_at: Option<Moment>,
    /// Who fetched it of late: name, version, when.
    pub consumers: Vec<(String, i32, Moment)>,
    pub events: Vec<Moved>,
    pub resolve: Option<Refusal>,
}

pub fn rotation(shell: &Shell, view: RotationView, form: &Form) -> String {
    let band = Band { project: view.project.1.clone(), environment: view.environment.clone(), tier: view.tier };
    ui::page(shell, "Rotation", Some(band), || {
        let now = shell.now;
        let version =
            |version: Option<i32>| version.map_or("not made yet".to_owned(), |version| format!("version {version}"));
        let took = |until: Option<Moment>| match until {
            Some(at) => view! { {ui::when(at)}<small>{format!("after {}", time::about(at - view.started_at))}</small> }
                .into_any(),
            None => ui::text("not yet"),
        };
        let mut facts = vec![
            ("Secret", ui::link(format!("/secrets/{}", view.secret), view.path.clone())),
            ("How", ui::text(view.rotator)),
            ("Begun", view! { {ui::when(view.started_at)}<small>{format!("{} by {}", view.trigger, view.started_by)}</small> }.into_any()),
            ("Old, new", ui::text(format!("version {}, {}", view.from_version, version(view.to_version)))),
            ("New value in use", took(view.promoted_at)),
            ("Old value dead", took(view.dead_at)),
        ];
        if let (Some(until), None, Step::Overlap) = (view.overlap_until, view.ended_at, view.step) {
            facts.push(("Old value works until", ui::when_about(until, now)));
        }
        if let Some(next) = view.next_at.filter(|next| *next > now) {
            facts.push(("Next step", ui::when_about(next, now)));
        }
        let consumers = view
            .consumers
            .iter()
            .map(|(name, used, at)| {
                let moved = match view.to_version {
                    Some(new) if *used >= new => ui::badge("good", "has the new value"),
                    Some(_) => ui::badge("attention", "still on the old value"),
                    None => ui::badge("note", "on the present value"),
                };
                vec![
                    ui::text(name.clone()),
                    view! { <code>{format!("v{used}")}</code> }.into_any(),
                    moved,
                    ui::when_about(*at, now),
                ]
            })
            .collect::<Vec<_>>();
        let events = view
            .events
            .iter()
            .map(|event| {
                let evidence = event.evidence.iter().map(|line| view! { <span class="block small">{line.clone()}</span> }).collect_view();
                let wrong = event.wrong.then(|| ui::badge("danger", "failed"));
                view! {
                    <li class:ink={let ink = !event.wrong; move || ink}>{ui::when_short(event.at)}<div>
                        <p>{event.words.clone()}" "{wrong}" "<a class="muted small" href=format!("/audit/{}", event.seq)>{format!("event {}", event.seq)}</a></p>
                        <p class="muted">{event.by.clone()}{evidence}</p></div></li>
                }
            })
            .collect_view();
        let no_consumers = consumers.is_empty();
        view! {
            {ui::crumbs(vec![("Rotations".into(), Some("/rotations".into())), (view.path.clone(), None)])}
            <section class="clause first"><header>{badge(view.step, view.grade)}</header><div>
                <h1 class="sentence">"Rotation of "<code>{view.path.clone()}</code>" in "<b>{view.project.1.clone()}</b>" "{ui::env(view.tier)}</h1></div></section>
            {decide(&view, form)}
            {ui::clause("h-facts", "Facts", "", ui::facts(facts))}
            {ui::clause("h-consumers", "Who uses it", "From observed machine fetches of the last 30 days.", if no_consumers {
                ui::text("No workload fetched it. People who read it have to be told: the secret’s page names them.")
            } else {
                ui::table("Workloads and the version that each fetched last", &["Workload", "Version", "State", "Last fetch"], consumers)
            })}
            {ui::clause("h-steps", "Steps", "Newest first, UTC. Each is an event of the trail.", view! { <ol class="timeline">{events}</ol> }.into_any())}
        }
        .into_any()
    })
}

/// Where the machine stopped: why, and what can be done.
fn decide(view: &RotationView, form: &Form) -> AnyView {
    let (Step::NeedsPerson, Some(stopped)) = (view.step, view.stopped) else { return ().into_any() };
    let why = view.reason.clone().unwrap_or_default();
    let stop = ui::callout(
        "danger",
        format!("It stopped before: {}", stopped.words().to_lowercase()),
        format!("{why}. Both values are kept."),
    );
    if let Some(refusal) = &view.resolve {
        return view! { {stop}<p class="muted">{refusal.to_string()}</p> }.into_any();
    }
    let explained = |choice: Choice| match choice {
        Choice::Retry => "The same step once more, from asking the target.",
        Choice::KeepNew => "It is verified at every server before it is handed out.",
        Choice::KeepOld if view.to_version.is_none() => "It ends here; nothing was changed.",
        Choice::KeepOld => "The target is asked first; the new value is set aside and can be restored.",
        Choice::Attest => "Closed on your word, which is not a proof and is shown so.",
    };
    let buttons = choices(stopped).iter().map(|choice| view! {
        <button class="answer" type="submit" name="choice" value=choice.code()><span class="ic go" aria-hidden="true"></span><b>{choice.words()}</b><span>{explained(*choice)}</span></button>
    }).collect_view();
    view! {
        <form method="post" action=format!("/rotations/{}/resolve", view.id)>
            <section class="clause tinted" aria-labelledby="h-decide">
                <header><h2 id="h-decide">"How it goes on"</h2>"Your choice is an event."</header>
                <div class="stacked">
                    {stop}
                    {ui::text_area(form, "comment", "What you saw", "Required unless you only try again.")}
                    {form.error("choice").map(|why| view! { <p class="wrong" role="alert">{why}</p> })}
                    <div class="answers">{buttons}</div>
                </div>
            </section>
        </form>
    }
    .into_any()
}

/// A secret's plan, as its page shows it.
pub struct PlanView {
    pub words: &'static str,
    pub target: String,
    pub overlap_minutes: i64,
    pub every_days: i32,
    /// When the current value reaches that age.
    pub due: Option<Moment>,
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
    pub configure: Option<Refusal>,
    pub start: Option<Refusal>,
    pub confirm: Option<Refusal>,
}

pub fn part(secret: &str, view: SecretRotation, now: Moment) -> AnyView {
    let may_set = view.configure.is_none();
    let running = view.last.iter().any(|line| line.ended_at.is_none());
    let ready = view.plan.as_ref().is_some_and(|plan| !plan.unconfirmed);
    let plan = match view.plan {
        Some(plan) => {
            let overlap = if plan.overlap_minutes == 0 {
                "The old value is disabled at once.".to_owned()
            } else {
                format!(
                    "The old value works for {} beside the new one, or until everybody has moved.",
                    time::span(chrono::TimeDelta::minutes(plan.overlap_minutes))
                )
            };
            let confirmed = match (&plan.confirmed_by, plan.unconfirmed) {
                (Some(name), _) => format!("Set by {}, confirmed by {name}.", plan.set_by),
                (None, true) => format!(
                    "Set by {}. Nothing is rotated before somebody of security confirms where the values go.",
                    plan.set_by
                ),
                (None, false) => format!("Set by {}.", plan.set_by),
            };
            let next = match (plan.every_days, plan.due) {
                (0, _) => ui::text("Rotated by hand alone."),
                (days, Some(due)) => {
                    view! { {format!("Rotated by the service when the value is {days} days old: ")}{ui::when(due)}"." }
                        .into_any()
                }
                (days, None) => ui::text(format!("Rotated by the service when a value is {days} days old.")),
            };
            let confirm = (plan.unconfirmed && view.confirm.is_none())
                .then(|| ui::act(format!("/secrets/{secret}/rotation/confirm"), "Confirm this plan", vec![]));
            view! { <p><b>{plan.words}</b>{(!plan.target.is_empty()).then(|| view! { " · "<code>{plan.target.clone()}</code> })}</p><p class="muted">{next}" "{overlap}" "{confirmed}</p><div class="actions pad">{confirm}</div> }.into_any()
        }
        None => ui::text("Nothing is set: this secret is rotated by hand."),
    };
    let start = (ready && !running && view.start.is_none())
        .then(|| ui::act(format!("/secrets/{secret}/rotate"), "Rotate now", vec![]));
    let set = (may_set && !running)
        .then(|| view! { <a class="button plain" href=format!("/secrets/{secret}/rotation")>"Set how it rotates"</a> });
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
        {plan}
        <div class="actions pad">{start}{set}</div>
        {(!rows.is_empty()).then(|| ui::table("Rotations, newest first", &["Begun", "State", "Why", "Since"], rows))}
    }
    .into_any()
}

pub struct PlanForm {
    pub secret: String,
    pub path: String,
    pub project: (String, String),
    pub environment: String,
    pub tier: Tier,
    pub kinds: Vec<RotatorKind>,
    /// What the protection level allows as the greatest age, as a sentence.
    pub oldest: &'static str,
    /// Database accounts of the same environment: id and path.
    pub admins: Vec<(String, String)>,
}

pub fn plan(shell: &Shell, view: PlanForm, form: &Form) -> String {
    let band = Band { project: view.project.1.clone(), environment: view.environment.clone(), tier: view.tier };
    ui::page(shell, "How it rotates", Some(band), || {
        let postgres = view.kinds.len() > 1;
        let kinds = view.kinds.iter().map(|kind| (kind.code().to_owned(), kind.words().to_owned())).collect();
        let mut admins = vec![(String::new(), "the account itself".to_owned())];
        admins.extend(view.admins.clone());
        let confirm = (view.tier != Tier::Development && postgres).then(|| {
            ui::callout(
                "info",
                "Somebody of security confirms it",
                "A second person agrees where values are sent, before anything is rotated.",
            )
        });
        view! {
            {ui::crumbs(vec![("Projects".into(), Some("/projects".into())), (view.project.1.clone(), Some(format!("/projects/{}", view.project.0))), (view.path.clone(), Some(format!("/secrets/{}", view.secret))), ("Rotation".into(), None)])}
            {ui::head("How it rotates", "What makes the new value, where it is set, and how long the old one goes on.", None)}
            <form class="sheet" method="post" action=format!("/secrets/{}/rotation", view.secret)>
                {ui::pick(form, "kind", "What rotates it", "", kinds)}
                {postgres.then(|| view! {
                    {ui::text_area(form, "endpoints", "Servers", "PostgreSQL only. One host:port in a line: the primary first, then every replica and pooler that takes this credential. Each is asked whether the old one is dead.")}
                    {ui::input(form, "database", "Database", "text", "PostgreSQL only. Where the account may connect.")}
                    {ui::text_area(form, "roles", "Two roles in turn", "Only for two roles: both names, one in a line. The value names the one in use.")}
                    {ui::pick(form, "admin", "Changed by", "Two roles need an account that may alter both.", admins)}
                    {ui::pick(form, "tls", "Connection", "Certificates are verified against the system’s roots.", vec![("yes".into(), "TLS, verified".into()), ("no".into(), "without TLS, on this host only".into())])}
                    {ui::pick(form, "sessions", "Sessions of the old value", "A session outlives a change of password.", vec![("end".into(), "end them".into()), ("wait".into(), "wait until they are gone".into())])}
                })}
                {ui::input(form, "length", "Length of the new value", "number", "20 to 128 characters, without look-alikes.")}
                {ui::input(form, "forbidden", "Characters that the target cannot take", "text", "For example -~")}
                {ui::input(form, "overlap", "Minutes that the old value goes on", "number", "None disables it at once; it ends early when every known consumer has the new one. At most 43,200 (30 days).")}
                {ui::input(form, "every", "Rotate when a value is this many days old", "number", view.oldest)}
                {confirm}
                <div class="actions"><button class="button primary" type="submit">"Set"</button><a class="button plain" href=format!("/secrets/{}", view.secret)>"Cancel"</a></div>
            </form>
        }
        .into_any()
    })
}
