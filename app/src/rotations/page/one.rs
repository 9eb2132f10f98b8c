//! One rotation: where it stands, who has moved, what can be decided, each step with its evidence.
use super::{Moved, badge, timeline};
use crate::{
    error::Refusal,
    policies::model::Tier,
    rotations::model::{Choice, Grade, Step, choices},
    session::Shell,
    time::{self, Moment},
    ui::{self, Band, Form},
};
use leptos::prelude::*;

/// What a step that is due waits for.
pub enum Now {
    /// Nothing took it up yet.
    Due,
    /// A replica is at it. Should it have stopped, another goes on from this moment.
    Held { until: Moment },
    /// It is looked at again then.
    LeftAlone { until: Moment },
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
    pub now: Option<Now>,
    pub from_version: i32,
    pub to_version: Option<i32>,
    pub promoted_at: Option<Moment>,
    pub overlap_until: Option<Moment>,
    pub dead_at: Option<Moment>,
    pub ended_at: Option<Moment>,
    /// Who fetched it of late: name, version, whether they still have to follow, when.
    pub consumers: Vec<(String, i32, bool, Moment)>,
    pub events: Vec<Moved>,
    pub resolve: Option<Refusal>,
    pub approve: Option<Refusal>,
    pub cancel: Option<Refusal>,
    pub cut_off: Option<Refusal>,
    pub roll_back: Option<Refusal>,
    /// Does the target take both values now, and is the new one what is handed out?
    pub can_go_back: bool,
    /// A leak or a leaver is the reason: it is given up with its case alone.
    pub urgent: bool,
    /// Sessions of the old value that could not be ended.
    pub sessions_left: i32,
    /// The old value is disabled as soon as the new one works.
    pub hurried: bool,
    /// When a schedule wanted it.
    pub due_at: Option<Moment>,
    /// Cases that the proof closes or closed: id, words.
    pub cases: Vec<(String, String)>,
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
        match view.now {
            Some(Now::Due) => facts.push(("Now", ui::text("The next step is due and begins within seconds."))),
            Some(Now::Held { until }) => facts.push(("Now", view! { "A step is under way."<small>"If the server that takes it has stopped, another goes on "{ui::when_about(until, now)}"."</small> }.into_any())),
            Some(Now::LeftAlone { until }) => facts.push(("Looked at again", ui::when_about(until, now))),
            None => {}
        }
        if let Some(due) = view.due_at {
            facts.push(("Due", ui::when(due)));
        }
        if view.hurried {
            facts.push(("Cut off", ui::text("The old value is disabled as soon as the new one works.")));
        }
        if !view.cases.is_empty() {
            let links = view.cases.iter().map(|(id, words)| view! { <span class="block">{ui::link(format!("/cases/{id}"), words.clone())}</span> }).collect_view();
            facts.push(("Cases", links.into_any()));
        }
        let consumers = view
            .consumers
            .iter()
            .map(|(name, used, behind, at)| {
                let moved = match (view.to_version, behind) {
                    (None, _) => ui::badge("note", "on the present value"),
                    (_, true) => ui::badge("attention", "still using the old value"),
                    (_, false) => ui::badge("good", "has the new value"),
                };
                vec![
                    ui::text(name.clone()),
                    view! { <code>{format!("v{used}")}</code> }.into_any(),
                    moved,
                    ui::when_about(*at, now),
                ]
            })
            .collect::<Vec<_>>();
        let no_consumers = consumers.is_empty();
        view! {
            {ui::crumbs(vec![("Rotations".into(), Some("/rotations".into())), (view.path.clone(), None)])}
            <section class="clause first"><header>{badge(view.step, view.grade)}</header><div>
                <h1 class="sentence">"Rotation of "<code>{view.path.clone()}</code>" in "<b>{view.project.1.clone()}</b>" "{ui::env(view.tier)}</h1></div></section>
            {decide(&view, form)}
            {wait(&view, form)}
            {overlap(&view, form)}
            {ui::clause("h-facts", "Facts", "", ui::facts(facts))}
            {ui::clause("h-consumers", "Who uses it", "From observed machine fetches of the last 30 days.", if no_consumers {
                ui::text("No workload fetched it. People who read it have to be told: the secret’s page names them.")
            } else {
                ui::table("Workloads and the version that each fetched last", &["Workload", "Version", "State", "Last fetch"], consumers)
            })}
            {ui::clause("h-steps", "Steps", "Newest first, UTC. Each is an event of the trail.", timeline(&view.events))}
        }
        .into_any()
    })
}

/// What somebody can do while it runs: agree, cancel, end the overlap.
fn wait(view: &RotationView, form: &Form) -> AnyView {
    let base = format!("/rotations/{}", view.id);
    match view.step {
        Step::Waiting if view.approve.is_none() || (view.cancel.is_none() && !view.urgent) => view! {
            <form method="post" action=format!("{base}/answer")>
                <section class="clause tinted" aria-labelledby="h-answer">
                    <header><h2 id="h-answer">"May it begin?"</h2>"Its plan wants somebody else to agree first."</header>
                    <div class="stacked">
                        {view.approve.map(|why| view! { <p>{why.to_string()}</p> })}
                        {view.urgent.then(|| view! { <p>"A leak or somebody who left is a reason too: its case, below, has to be given up before this can be cancelled."</p> })}
                        {ui::text_area(form, "comment", "Reason", "Required to cancel.")}
                        <div class="answers">
                            {view.approve.is_none().then(|| view! { <button class="answer yes" type="submit" name="answer" value="approve"><span class="ic go" aria-hidden="true"></span><b>"Let it begin"</b><span>"Not by whoever started it."</span></button> })}
                            {(view.cancel.is_none() && !view.urgent).then(|| view! { <button class="answer" type="submit" name="answer" value="cancel"><span class="ic go" aria-hidden="true"></span><b>"Cancel it"</b><span>"Nothing was changed."</span></button> })}
                        </div>
                    </div>
                </section>
            </form>
        }.into_any(),
        _ => ().into_any(),
    }
}

/// While both values work, also where whoever is behind holds it up: end that, or go back.
fn overlap(view: &RotationView, form: &Form) -> AnyView {
    let base = format!("/rotations/{}", view.id);
    let running = view.step == Step::Overlap;
    if !running && view.stopped != Some(Step::Overlap) {
        return ().into_any();
    }
    let cut = (running && view.cut_off.is_none() && !view.hurried).then(|| {
        view! {
            <p class="muted">"Whoever still uses the old value fails from then on."</p>
            {ui::act(format!("{base}/cut-off"), "Disable the old value now", vec![])}
        }
    });
    let back = (view.roll_back.is_none() && view.can_go_back).then(|| view! {
        <details class="more" open=form.error("reason").is_some()><summary>"Go back to the old value"</summary>
            <form class="stacked pad" method="post" action=format!("{base}/roll-back")>
                {ui::input(form, "reason", "Why", "text", "The target is asked first. The old value is handed out again at once; the new one is withdrawn.")}
                <div class="actions"><button class="button" type="submit">"Roll back"</button></div>
            </form>
        </details>
    });
    if cut.is_none() && back.is_none() {
        return ().into_any();
    }
    ui::clause(
        "h-cut",
        "End the overlap",
        if view.can_go_back { "Both values work now." } else { "" },
        view! { {cut}{back} }.into_any(),
    )
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
        let theirs = view! { {stop}<p class="muted pad">{refusal.to_string()}</p> };
        return ui::clause("h-decide", "How it goes on", "Leads and security decide.", theirs.into_any());
    }
    let explained = |choice: Choice| match choice {
        Choice::Retry => "The same step once more, from asking the target.",
        Choice::KeepNew => {
            "It is verified at every server before it is handed out, also over a version that somebody wrote in the middle."
        }
        Choice::KeepOld if stopped == Step::RollingBack => {
            "It is in use already; the new one may go on working at the target."
        }
        Choice::KeepOld if view.to_version.is_none() => "It ends here; nothing was changed.",
        Choice::KeepOld => {
            "The target is asked about the value in use first; the new one is set aside and can be restored."
        }
        Choice::Accept => {
            "They go on with what they opened. Their number and your name stand beside the proof; more than these stop it again."
        }
        Choice::Disable => "Those who still use it have to follow; they are named in the record.",
        Choice::Attest => "Closed on your word, which is not a proof and is shown so.",
    };
    let offered = choices(stopped).iter().filter(|choice| **choice != Choice::Accept || view.sessions_left > 0);
    let buttons = offered.map(|choice| view! {
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
