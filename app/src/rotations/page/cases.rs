//! Cases: the figures, the list, one with what can be done about it; and the report of a leak.
use super::{Moved, tabs, timeline};
use crate::{
    error::Refusal,
    policies::model::Tier,
    rotations::{
        cases::{End, Figures},
        model::Trigger,
        parts::Parts,
    },
    session::Shell,
    time::{self, Moment},
    ui::{self, Band, Form},
};
use chrono::TimeDelta;
use leptos::prelude::*;

pub struct CaseLine {
    pub id: String,
    pub path: String,
    pub project: String,
    pub tier: Tier,
    pub trigger: Trigger,
    pub version: i32,
    pub began_at: Moment,
    pub end: Option<End>,
    pub ended_at: Option<Moment>,
    pub target: TimeDelta,
}

fn state(end: Option<End>, late: bool) -> AnyView {
    match end {
        None if late => ui::badge("danger", "Open, past its target"),
        None => ui::badge("wait", "Open"),
        Some(End::Proved) => ui::badge("good", "Old value proved dead"),
        Some(end @ (End::Attested | End::Expired | End::Unverified)) => {
            ui::badge("attention", format!("Old value {}", end.words()))
        }
        Some(End::Cancelled) => ui::badge("ended", "Cancelled"),
    }
}

pub struct CasesView {
    /// How many days the figures look back.
    pub days: i64,
    pub figures: Vec<(Trigger, Figures)>,
    /// What the time of rotations went into.
    pub parts: Vec<(Trigger, Parts)>,
    pub open: Vec<CaseLine>,
    pub ended: Vec<CaseLine>,
    /// The project that the view is narrowed to: slug and name; and all that can be chosen.
    pub project: String,
    pub projects: Vec<(String, String)>,
}

pub fn cases(shell: &Shell, view: CasesView) -> String {
    ui::page(shell, "Cases", None, || {
        let now = shell.now;
        let long = |time: Option<TimeDelta>| ui::text(time.map_or("—".to_owned(), time::about));
        let rows: Vec<Vec<AnyView>> = view
            .figures
            .iter()
            .map(|(trigger, figures)| {
                let share = match figures.began {
                    0 => "—".to_owned(),
                    began => format!("{} of {began}", figures.within),
                };
                let undecided = (figures.undecided > 0).then(|| format!("{} can still be", figures.undecided));
                let coverage = match figures.ended {
                    0 => "none ended".to_owned(),
                    ended => format!("{} of {ended} that ended", figures.proved),
                };
                let open = match figures.open_longest {
                    Some(longest) => format!("{}, {} so far", figures.open, time::about(longest)),
                    None => "none".to_owned(),
                };
                vec![
                    ui::text(capital(trigger.words())),
                    view! { <b>{figures.mean.map_or("—".to_owned(), time::about)}</b><small class="block muted">{coverage}</small> }.into_any(),
                    view! { {share}{undecided.map(|words| view! { <small class="block muted">{words}</small> })} }.into_any(),
                    match figures.median {
                        Some(median) => ui::text(time::about(median)),
                        None if figures.began == 0 => ui::text("—"),
                        None => ui::text("not reached"),
                    },
                    view! { {long(figures.p90)}" / "{long(figures.longest)} }.into_any(),
                    ui::text(open),
                ]
            })
            .collect();
        let parts: Vec<Vec<AnyView>> = view.parts.iter().map(part).collect();
        let list = |lines: Vec<CaseLine>| {
            lines
                .into_iter()
                .map(|line| {
                    let late = now - line.began_at > line.target;
                    let since = match line.ended_at {
                        Some(ended) => view! { {ui::when_short(ended)}<small class="muted block">{format!("after {}", time::about(ended - line.began_at))}</small> }.into_any(),
                        None => view! { {ui::when_short(line.began_at)}<small class="muted block">{format!("still open, {} so far", time::about(now - line.began_at))}</small> }.into_any(),
                    };
                    vec![
                        ui::link(format!("/cases/{}", line.id), format!("{} v{}", line.path, line.version)),
                        view! { {line.project}" "{ui::env(line.tier)} }.into_any(),
                        ui::text(line.trigger.words()),
                        state(line.end, late),
                        since,
                    ]
                })
                .collect::<Vec<_>>()
        };
        let (open, ended) = (view.open.len(), view.ended.len());
        let windows = [30, 90, 180, 365].into_iter().map(|days| {
            let current = (days == view.days).then_some("true");
            view! { <a href=format!("/cases?days={days}&project={}", view.project) aria-current=current>{format!("{days} days")}</a> }
        }).collect_view();
        let mut projects = vec![(String::new(), "every project".to_owned())];
        projects.extend(view.projects.clone());
        let form = Form::default().with("project", view.project.clone());
        view! {
            {ui::head("Cases", "From when a secret had to be rotated to when its old credential was proved dead.", None)}
            {tabs("/cases")}
            <div class="row pad">
                <nav class="segments" aria-label="Window">{windows}</nav>
                <form class="row" method="get" action="/cases"><input type="hidden" name="days" value=view.days />
                    {ui::pick(&form, "project", "Project", "", projects)}<button class="button" type="submit">"Show"</button></form>
            </div>
            {ui::group("Mean time to rotate", view.figures.iter().map(|(_, figures)| figures.proved).sum(), "proved in the window, by what made them necessary")}
            {ui::table("Mean time to rotate by trigger", &["Trigger", "Mean", "In time", "Half are dead by", "9 of 10 / longest", "Open now"], rows)}
            <details class="more"><summary>"What these figures are"</summary>
                <p class="soft">"A case begins when a leak was detected, somebody left, an age limit passed, a time was due, or somebody asked; it ends with the first proof that the old credential is refused while the new one is accepted. The mean is over cases proved in the window, beside how many of all that ended were proved at all. In time is of cases that began in the window: dead within the time that the protection level set when the case began. Half are dead by: the Kaplan–Meier estimate, in which open cases count for as long as they were seen. Attested, unverified and cancelled cases are never counted as dead. Triggers are never mixed. Each case links to its events."</p>
            </details>
            {ui::group("Where the time goes", view.parts.iter().map(|(_, parts)| parts.proved).sum(), "rotations whose old value was proved dead in the window")}
            {ui::table("Where the time goes by trigger", &["Trigger", "Late", "Queue", "Cycle", "Overlap", "First attempt", "Cases each"], parts)}
            <details class="more"><summary>"What these parts are"</summary>
                <p class="soft">"Means over rotations whose old value was proved dead in the window. Late: from when it was due to when it began. Queue: until the new value was made, approval included. Cycle: until it was in use. Overlap: until the old value was proved dead. First attempt is of rotations that made a value and ended in the window in any way: every step worked at once. Cases each: how many open cases one proof closed. None of it changes the time to rotate, which counts from when the secret had to be rotated."</p>
            </details>
            {ui::group("Open", open, "longest first")}
            {if open == 0 { ui::empty("No case is open", "Nothing waits to be rotated.", None) } else { ui::table("Open cases", &["Secret and version", "Where", "Why", "State", "Since, UTC"], list(view.open)) }}
            {ui::group("Ended", ended, "newest first")}
            {if ended == 0 { ui::empty("None yet", "Every case stays here with how it ended.", None) } else { ui::table("Cases that ended", &["Secret and version", "Where", "Why", "State", "Ended, UTC"], list(view.ended)) }}
        }
        .into_any()
    })
}

fn part((trigger, parts): &(Trigger, Parts)) -> Vec<AnyView> {
    let long = |time: Option<TimeDelta>| ui::text(time.map_or("—".to_owned(), time::about));
    vec![
        ui::text(capital(trigger.words())),
        long(parts.late),
        long(parts.queue),
        long(parts.cycle),
        long(parts.overlap),
        ui::text(match parts.ended {
            0 => "—".to_owned(),
            ended => format!("{} of {ended}", parts.first_attempt),
        }),
        ui::text(match parts.proved {
            0 => "—".to_owned(),
            proved => format!("{:.1}", parts.cases as f64 / proved as f64),
        }),
    ]
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

pub struct CaseView {
    pub line: CaseLine,
    pub secret: String,
    pub project: (String, String),
    pub environment: String,
    pub opened_by: String,
    pub opened_at: Moment,
    pub suspect: Option<String>,
    pub cut_off: bool,
    /// What was reported, for those who may read it.
    pub what: Option<String>,
    /// Rotations about it: id, words.
    pub rotations: Vec<(String, String)>,
    /// Who knows the version: name and how.
    pub knowing: Vec<(String, String)>,
    /// Who could still read it: grants that have not ended.
    pub holders: Vec<String>,
    pub is_current: bool,
    pub has_plan: bool,
    /// A rotation about another version has to end first.
    pub waits_for: Option<String>,
    pub events: Vec<Moved>,
    pub contain: Option<Refusal>,
    pub attest: Option<Refusal>,
    pub cancel: Option<Refusal>,
}

pub fn case(shell: &Shell, view: CaseView, form: &Form) -> String {
    let band = Band { project: view.project.1.clone(), environment: view.environment.clone(), tier: view.line.tier };
    ui::page(shell, "Case", Some(band), || {
        let now = shell.now;
        let line = &view.line;
        let late = now - line.began_at > line.target;
        let open = line.end.is_none();
        let mut facts = vec![
            ("Secret", view! { {ui::link(format!("/secrets/{}", view.secret), line.path.clone())}<small>{format!("version {}{}", line.version, if view.is_current { ", the one in use" } else { "" })}</small> }.into_any()),
            ("Why", ui::text(line.trigger.words())),
            ("Began", view! { {ui::when_about(line.began_at, now)}<small>"Retries never move it; it may only be found to have begun earlier."</small> }.into_any()),
            ("Has to be dead by", ui::when_about(line.began_at + line.target, now)),
            ("Opened", view! { {ui::when(view.opened_at)}<small>{format!("by {}", view.opened_by)}</small> }.into_any()),
        ];
        if let Some(suspect) = &view.suspect {
            facts.push(("About", ui::text(suspect.clone())));
        }
        if let Some(ended) = line.ended_at {
            facts.push((
                "Ended",
                view! { {ui::when(ended)}<small>{format!("after {}", time::about(ended - line.began_at))}</small> }
                    .into_any(),
            ));
        }
        let rotations = view
            .rotations
            .iter()
            .map(|(id, words)| view! { <li>{ui::link(format!("/rotations/{id}"), words.clone())}</li> })
            .collect::<Vec<_>>();
        let no_rotation = rotations.is_empty();
        let knowing = view
            .knowing
            .iter()
            .map(|(name, how)| view! { <li>{name.clone()}" "<span class="muted">{how.clone()}</span></li> })
            .collect::<Vec<_>>();
        let nobody = knowing.is_empty();
        view! {
            {ui::crumbs(vec![("Cases".into(), Some("/cases".into())), (line.path.clone(), None)])}
            <section class="clause first"><header>{state(line.end, late)}</header><div>
                <h1 class="sentence"><code>{line.path.clone()}</code>" in "<b>{view.project.1.clone()}</b>" "{ui::env(line.tier)}" has to be rotated "{line.trigger.words()}</h1>
                {view.what.clone().map(|what| view! { <figure class="said"><blockquote>{what}</blockquote><figcaption>{format!("Reported by {}", view.opened_by)}</figcaption></figure> })}
            </div></section>
            {open.then(|| contain(&view, form))}
            {ui::clause("h-facts", "Facts", "", ui::facts(facts))}
            {ui::clause("h-rotations", "Rotations", "What was done about it.", if no_rotation { ui::text("None yet.") } else { view! { <ul class="plain">{rotations}</ul> }.into_any() })}
            {ui::clause("h-know", "Who knows it", "Until it is dead, whoever saw it can use it.", if nobody { ui::text("No person saw or typed this version.") } else { view! { <ul class="plain">{knowing}</ul> }.into_any() })}
            {(open && [view.attest, view.cancel].iter().any(|why| *why != Some(Refusal::NoRule))).then(|| otherwise(&view, form))}
            {ui::clause("h-events", "What happened", "Newest first, UTC. Each is an event of the trail.", timeline(&view.events))}
        }
        .into_any()
    })
}

/// Contain first: whose access is suspended, and whether the old value is cut off.
fn contain(view: &CaseView, form: &Form) -> AnyView {
    if let Some(refusal) = &view.contain {
        return ui::clause("h-contain", "Contain it first", "Leads and security do.", ui::text(refusal.to_string()));
    }
    let holders = match view.holders.len() {
        0 => "Nobody holds access now.".to_owned(),
        _ => format!("Access is held by {}.", view.holders.join(", ")),
    };
    let mut suspects = vec![
        ("nobody".to_owned(), "nobody".to_owned()),
        ("everybody".to_owned(), "everybody who holds access, pipelines too".to_owned()),
    ];
    if let Some(name) = &view.suspect {
        let why = if view.line.trigger == Trigger::Leaver { "who left" } else { "who is suspected" };
        suspects.insert(0, ("suspect".to_owned(), format!("{name}, {why}")));
    }
    let after = if !view.is_current {
        "This version is not in use any more: nothing new is made. It has to be shown, or attested, to be dead."
    } else if view.waits_for.is_some() {
        "A rotation that began before is under way: access is suspended now, and this value is rotated by itself as soon as that one lets it."
    } else if view.has_plan {
        "Then a new value is made and set, and the old one is shown to be dead."
    } else {
        "No plan says how this secret rotates: somebody changes it at its target by hand and writes the new value here."
    };
    view! {
        <form method="post" action=format!("/cases/{}/contain", view.line.id)>
            <section class="clause tinted" aria-labelledby="h-contain">
                <header><h2 id="h-contain">"Contain it first"</h2>{holders}</header>
                <div class="stacked">
                    {ui::pick(form, "suspend", "Suspend the access of", "At once, everywhere; each can be confirmed again by somebody else.", suspects)}
                    <p class="soft">{after}{view.waits_for.clone().map(|id| view! { " "<a href=format!("/rotations/{id}")>"The rotation under way"</a> })}</p>
                    <div class="answers">
                        <button class="answer" type="submit" name="mode" value="smooth"><span class="ic go" aria-hidden="true"></span><b>"No downtime"</b><span>"The old value works until those who use it have moved, or its overlap is over."</span></button>
                        <button class="answer" type="submit" name="mode" value="cut"><span class="ic go" aria-hidden="true"></span><b>"Cut off now"</b><span>"The old value is disabled as soon as the new one works. Whoever has not moved fails."</span></button>
                    </div>
                </div>
            </section>
        </form>
    }
    .into_any()
}

/// What else can be done with an open case.
fn otherwise(view: &CaseView, form: &Form) -> AnyView {
    let id = &view.line.id;
    let earlier = view.contain.is_none().then(|| {
        view! {
            <details class="more"><summary>"It began earlier"</summary>
                <form class="stacked pad" method="post" action=format!("/cases/{id}/earlier")>
                    {ui::input(form, "began", "Began, UTC", "datetime-local", "Only earlier than it says.")}
                    {ui::input(form, "reason", "How you know", "text", "")}
                    <div class="actions"><button class="button" type="submit">"Move it"</button></div>
                </form></details>
        }
    });
    let attest = (view.attest.is_none() && !view.is_current).then(|| view! {
        <details class="more"><summary>"The old value is dead, and no rotation shows it"</summary>
            <form class="stacked pad" method="post" action=format!("/cases/{id}/attest")>
                {ui::input(form, "reason", "What you saw", "text", "It is closed on your word, which is not a proof and is shown so.")}
                <div class="actions"><button class="button" type="submit">"I attest it"</button></div>
            </form></details>
    });
    let cancel = view.cancel.is_none().then(|| {
        view! {
            <details class="more"><summary>"Nothing has to be rotated"</summary>
                <form class="stacked pad" method="post" action=format!("/cases/{id}/cancel")>
                    {ui::input(form, "reason", "Why", "text", "Not by whoever opened it. It stays counted.")}
                    <div class="actions"><button class="button danger" type="submit">"Cancel the case"</button></div>
                </form></details>
        }
    });
    // Theirs by role, and not by them.
    let own = [view.attest, view.cancel].into_iter().flatten().find(|why| *why != Refusal::NoRule);
    let own = own.map(|why| view! { <p class="muted">{why.to_string()}</p> });
    ui::clause("h-else", "Otherwise", "", view! { {earlier}{attest}{cancel}{own} }.into_any())
}

pub struct LeakForm {
    pub secret: String,
    pub path: String,
    pub project: (String, String),
    pub environment: String,
    pub tier: Tier,
    /// Versions that can have got out, the present one first.
    pub versions: Vec<i32>,
    /// People and workloads that had it: id and words.
    pub suspects: Vec<(String, String)>,
}

pub fn leak(shell: &Shell, view: LeakForm, form: &Form) -> String {
    let band = Band { project: view.project.1.clone(), environment: view.environment.clone(), tier: view.tier };
    ui::page(shell, "Report a leak", Some(band), || {
        let versions =
            view.versions.iter().map(|version| (version.to_string(), format!("version {version}"))).collect();
        let mut suspects = vec![(String::new(), "nobody in particular".to_owned())];
        suspects.extend(view.suspects.clone());
        view! {
            {ui::crumbs(vec![(view.project.1.clone(), Some(format!("/projects/{}", view.project.0))), (view.path.clone(), Some(format!("/secrets/{}", view.secret))), ("Report a leak".into(), None)])}
            {ui::head("Report a leak", "Leads and security are told at once, and choose how it is contained.", None)}
            <form class="sheet" method="post" action=format!("/secrets/{}/leak", view.secret)>
                {ui::text_area(form, "what", "What happened", "Where it was seen, by whom. Never the value itself.")}
                {ui::input(form, "detected", "Detected, UTC", "datetime-local", "From then on the time to rotate counts.")}
                {ui::pick(form, "version", "Which value", "", versions)}
                {ui::pick(form, "suspect", "About", "Whose access is suspended first, if somebody’s.", suspects)}
                <div class="actions"><button class="button danger" type="submit">"Report"</button><a class="button plain" href=format!("/secrets/{}", view.secret)>"Cancel"</a></div>
            </form>
        }
        .into_any()
    })
}
