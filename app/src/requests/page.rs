//! Inbox, one's own requests, asking, and the decision screen.
use super::model::State;
use crate::{
    controls,
    error::Refusal,
    levels::model::Level,
    policies::model::{Class, Right, Role, Tier},
    session::Shell,
    time::{self, Moment},
    ui::{self, Band, Form},
};
use chrono::TimeDelta;
use leptos::prelude::*;

/// A request in a list.
pub struct Line {
    pub id: String,
    pub requester: String,
    pub beneficiary: Option<String>,
    pub right: Right,
    pub class: Class,
    pub paths: Vec<String>,
    pub project: String,
    pub tier: Tier,
    pub minutes: i64,
    /// When access begins, if later than its approval.
    pub starts_at: Option<Moment>,
    pub reason: String,
    pub state: State,
    pub expires_at: Moment,
}

/// "read", "copy" or "write": what the right comes to at this place.
pub fn verb(right: Right, level: &Level, class: Class, workload: bool) -> &'static str {
    match right {
        Right::Write => "write",
        Right::Read if workload => "fetch",
        Right::Read if level.copies(class) => "copy",
        Right::Read => "read",
    }
}

fn what(paths: &[String]) -> AnyView {
    match paths {
        [one] => view! { <code>{one.clone()}</code> }.into_any(),
        many => view! { {format!("{} secrets", many.len())} }.into_any(),
    }
}

pub fn state_badge(state: State) -> AnyView {
    use super::model::Outcome;
    match state {
        State::InReview { taken, seats } => ui::badge("wait", format!("Waiting for approval, {taken} of {seats}")),
        State::Ended(outcome) => {
            let kind = match outcome {
                Outcome::Approved => "good",
                Outcome::Denied => "danger",
                _ => "ended",
            };
            ui::badge(kind, outcome.words())
        }
    }
}

fn seats(state: State) -> AnyView {
    match state {
        State::InReview { taken, seats } => {
            let strokes = (0..seats).map(|n| view! { <i class:on=move || n < taken></i> }).collect_view();
            view! { <span class="seats">{strokes}<span>{format!("{taken} of {seats}")}</span></span> }.into_any()
        }
        ended => state_badge(ended),
    }
}

fn entry(line: Line, own: bool, shell: &Shell) -> AnyView {
    let href = format!("/requests/{}", line.id);
    let verb = verb(line.right, shell.levels.of(line.tier), line.class, line.beneficiary.is_some());
    let length = time::span(TimeDelta::minutes(line.minutes));
    let who = if own {
        view! { "You asked" }.into_any()
    } else {
        view! { <b>{line.requester.clone()}</b>" asks" }.into_any()
    };
    let wish = match &line.beneficiary {
        Some(workload) => view! { " that "<code>{workload.clone()}</code>" may "<b>{verb}</b>" " }.into_any(),
        None => view! { " to "<b>{verb}</b>" " }.into_any(),
    };
    let act = if own { "Open" } else { "Review" };
    view! {
        <li>
            <div><h3><a href=href.clone()>{who}{wish}{what(&line.paths)}" for "<b>{length}</b></a></h3>
                <p class="why">{(!line.reason.is_empty()).then(|| format!("“{}”", line.reason))}</p></div>
            <div class="where">{ui::env(line.tier)}<small>{line.project.clone()}</small></div>
            <div class="need">{seats(line.state)}<small>"until "{ui::when(line.expires_at)}</small></div>
            <div class="act"><a class="button" href=href>{act}<span class="vh">" request of "{line.requester}</span></a></div>
        </li>
    }
    .into_any()
}

fn queue(lines: Vec<Line>, own: bool, shell: &Shell) -> AnyView {
    view! { <ul class="queue">{lines.into_iter().map(|line| entry(line, own, shell)).collect_view()}</ul> }.into_any()
}

pub fn inbox(shell: &Shell, to_decide: Vec<Line>, controls: Vec<controls::page::Line>, own: Vec<Line>) -> String {
    ui::page(shell, "Inbox", None, || {
        let (decide, waiting, loosening) = (to_decide.len(), own.len(), controls.len());
        view! {
            {ui::head("Inbox", "What you can decide now. Nothing here is decided until you open it.", None)}
            {ui::group("To decide", decide, "first to expire first")}
            {if decide == 0 {
                ui::empty("Nothing to decide", "Requests appear here when you are one of those who may take the next seat.", None)
            } else {
                queue(to_decide, false, shell)
            }}
            {(loosening > 0).then(|| view! {
                {ui::group("Changes of control", loosening, "what would loosen who may do what")}
                {controls::page::queue(controls)}
            })}
            {ui::group("Your own, waiting", waiting, "")}
            {if waiting == 0 {
                ui::empty("Nothing waiting", "What you ask for and nobody decided yet appears here.", Some(("/projects".into(), "Find a secret to ask for")))
            } else {
                queue(own, true, shell)
            }}
        }
        .into_any()
    })
}

pub fn mine(shell: &Shell, lines: Vec<Line>) -> String {
    ui::page(shell, "My requests", None, || {
        let rows = lines
            .into_iter()
            .map(|line| {
                let verb = verb(line.right, shell.levels.of(line.tier), line.class, line.beneficiary.is_some());
                let title = match line.paths.as_slice() {
                    [one] => format!("{verb} {one}"),
                    many => format!("{verb} {} secrets", many.len()),
                };
                vec![
                    ui::link(format!("/requests/{}", line.id), title),
                    view! { {ui::env(line.tier)}" "<small class="muted">{line.project}</small> }.into_any(),
                    ui::text(line.beneficiary.unwrap_or_else(|| "yourself".into())),
                    ui::text(time::span(TimeDelta::minutes(line.minutes))),
                    state_badge(line.state),
                ]
            })
            .collect::<Vec<_>>();
        view! {
            {ui::head("My requests", "Everything you asked for, newest first. Decided requests stay.", None)}
            {if rows.is_empty() {
                ui::empty("You have asked for nothing yet", "Open a secret and ask for it: you say why and for how long, somebody else decides.", Some(("/projects".into(), "Look at the projects")))
            } else {
                ui::table("Your requests, newest first", &["What", "Where", "For", "How long", "State"], rows)
            }}
        }
        .into_any()
    })
}

/// The form for asking.
pub struct Ask {
    pub project: String,
    pub project_slug: String,
    pub environment: String,
    pub tier: Tier,
    /// `(id, path, class)` of what was chosen.
    pub secrets: Vec<(String, String, Class)>,
    /// Workloads of one's teams in this environment: `(id, name)`.
    pub workloads: Vec<(String, String)>,
    /// Who can decide, by name; empty where policy has no human step.
    pub deciders: Vec<String>,
    pub seats: usize,
    pub form_id: String,
}

pub fn ask(shell: &Shell, view: Ask, form: &Form) -> String {
    let band = Band { project: view.project.clone(), environment: view.environment.clone(), tier: view.tier };
    ui::page(shell, "Ask for access", Some(band), || {
        let class = view.secrets.iter().map(|(_, _, class)| *class).max().unwrap_or(Class::Normal);
        let chosen = view
            .secrets
            .iter()
            .map(|(id, path, class)| view! {
                <label class="check"><input type="checkbox" name="secret" value=id.clone() checked /><span><code>{path.clone()}</code>" "<small class="muted">{class.words()}</small></span></label>
            })
            .collect_view();
        let level = shell.levels.of(view.tier);
        let offers: Vec<(String, String)> = level
            .offered(false)
            .into_iter()
            .map(|offer| (offer.num_minutes().to_string(), time::span(offer)))
            .collect();
        let standing: Vec<(String, String)> = level
            .offered(true)
            .into_iter()
            .map(|offer| (offer.num_minutes().to_string(), format!("{} (workloads)", time::span(offer))))
            .filter(|(minutes, _)| !view.workloads.is_empty() && !offers.iter().any(|(known, _)| known == minutes))
            .collect();
        let offers = [offers, standing].concat();
        let rights = vec![
            ("read".to_owned(), if level.copies(class) { "copy, not show".to_owned() } else { "read".to_owned() }),
            ("write".to_owned(), "write a new value".to_owned()),
        ];
        let mut beneficiaries = vec![(String::new(), "yourself".to_owned())];
        beneficiaries.extend(view.workloads.clone());
        let for_whom = (beneficiaries.len() > 1)
            .then(|| ui::pick(form, "workload", "For", "Workloads of your teams in this environment.", beneficiaries));
        let decide = if view.seats == 0 {
            ui::callout(
                "info",
                "Given by rule",
                "This protection level has no human step: access begins at once, and is recorded.",
            )
        } else if view.deciders.is_empty() {
            ui::callout(
                "attention",
                "Nobody can decide this now",
                "Nobody holds the role that the first signature needs. Your request would wait, locked, and would open nothing by itself.",
            )
        } else {
            let names = view.deciders.join(", ");
            ui::callout(
                "info",
                format!("{} signature{} needed", view.seats, if view.seats == 1 { "" } else { "s" }),
                format!("Can decide first: {names}."),
            )
        };
        let errors = form.error("secrets").map(|error| view! { <p class="wrong" role="alert">{error}</p> });
        view! {
            {ui::crumbs(vec![("Projects".into(), Some("/projects".into())), (view.project.clone(), Some(format!("/projects/{}", view.project_slug))), ("Ask for access".into(), None)])}
            {ui::head("Ask for access", "Say what, for how long and why. The clock starts when it is approved, not now.", None)}
            <form class="sheet" method="post" action="/requests">
                <input type="hidden" name="form" value=view.form_id.clone() />
                <fieldset><legend class="label">"Secrets"</legend>{chosen}{errors}</fieldset>
                {ui::pick(form, "right", "To", "", rights)}
                {for_whom}
                {ui::pick(form, "minutes", "For how long", "Shorter is decided faster.", offers)}
                {ui::input(form, "starts_at", "Begins (UTC)", "datetime-local", "Empty: with its approval. At most seven days ahead.")}
                {ui::text_area(form, "reason", "Why", "A ticket and what you will do. Never a value: many people read this.")}
                {decide}
                <div class="actions"><button class="button primary" type="submit">"Send for review"</button>
                    <a class="button plain" href=format!("/projects/{}", view.project_slug)>"Cancel"</a></div>
            </form>
        }
        .into_any()
    })
}

/// One signature of a request: taken, or open with who could take it.
pub struct SeatView {
    pub role: Role,
    /// `(name, when, comment)`
    pub signed: Option<(String, Moment, String)>,
    pub can: Vec<String>,
    /// `(name, why not)`
    pub cannot: Vec<(String, Refusal)>,
}

pub struct Event {
    pub at: Moment,
    pub words: String,
    pub quote: String,
    pub ink: bool,
}

/// Effective access of one holder, now and after approval.
pub struct Effect {
    pub name: String,
    pub href: String,
    pub now: String,
    pub after: Option<String>,
    pub until: String,
}

/// Everything on the decision screen.
pub struct RequestView {
    pub line: Line,
    pub environment: String,
    pub secrets: Vec<(String, String, Class)>,
    pub people_now: usize,
    pub workloads_now: usize,
    pub known_now: usize,
    pub effects: Vec<Effect>,
    /// `(word, what, small print)`
    pub risks: Vec<(&'static str, String, String)>,
    pub seats: Vec<SeatView>,
    pub history: Vec<Event>,
    /// Why this viewer may not decide.
    pub decide: Result<Role, Refusal>,
    pub own: bool,
    pub digest: String,
    pub revision: i32,
    pub policy: String,
    pub grant: Option<String>,
}

pub fn request(shell: &Shell, view: RequestView, form: &Form) -> String {
    let line = &view.line;
    let verb = verb(line.right, shell.levels.of(line.tier), line.class, line.beneficiary.is_some());
    let title = format!(
        "{} asks to {verb} {}",
        line.requester,
        if line.paths.len() == 1 { line.paths[0].clone() } else { format!("{} secrets", line.paths.len()) }
    );
    let band = Band { project: line.project.clone(), environment: view.environment.clone(), tier: line.tier };
    ui::page(shell, &title, Some(band), || {
        let begins = match line.starts_at {
            Some(at) => format!(" from {} UTC, or from approval if that is later.", time::long(at)),
            None => " from approval.".to_owned(),
        };
        let length = time::span(TimeDelta::minutes(line.minutes));
        let open = matches!(line.state, State::InReview { .. });
        let now = shell.now;
        let sentence = {
            let wish = match &line.beneficiary {
                Some(workload) => {
                    view! { " asks that "<code>{workload.clone()}</code>" may "<b>{verb}" "{what(&line.paths)}</b> }
                        .into_any()
                }
                None => view! { " asks to "<b>{verb}" "{what(&line.paths)}</b> }.into_any(),
            };
            view! {
                <h1 class="sentence"><b>{line.requester.clone()}</b>{wish}" in "<b>{line.project.clone()}</b>" "{ui::env(line.tier)}" for "<b>{length.clone()}</b>{begins.clone()}</h1>
            }
        };
        let said = (!line.reason.is_empty()).then(|| view! {
            <figure class="said"><figcaption>"Reason given by requester"</figcaption><blockquote>{line.reason.clone()}</blockquote></figure>
        });
        let until = open.then(|| view! {
            <p class="until"><span>"Decide until "<b>{ui::when(line.expires_at)}</b>{format!(", in {}", time::about(line.expires_at - now))}</span></p>
        });
        let people_after =
            view.people_now + usize::from(line.beneficiary.is_none() && line.right == Right::Read && open);
        let machines_after = view.workloads_now + usize::from(line.beneficiary.is_some() && open);
        let known_after = view.known_now + usize::from(line.beneficiary.is_none() && line.right == Right::Read && open);
        let shift = |words: &'static str, was: usize, after: usize, small: &'static str| {
            if was == after {
                view! { <div class="same"><dt>{words}</dt><dd>{was}" "<small>"unchanged"</small></dd></div> }.into_any()
            } else {
                view! { <div><dt>{words}</dt><dd><span class="was">{was}</span><span class="ic go" aria-hidden="true"></span><ins class="plus">{after}</ins>" "<small>{small}</small></dd></div> }.into_any()
            }
        };
        let effects = view
            .effects
            .iter()
            .map(|effect| {
                let after = match &effect.after {
                    Some(after) => view! { <ins class="plus">{after.clone()}</ins> }.into_any(),
                    None => view! { <span class="muted">"no change"</span> }.into_any(),
                };
                vec![
                    ui::link(effect.href.clone(), effect.name.clone()),
                    ui::text(effect.now.clone()),
                    after,
                    ui::text(effect.until.clone()),
                ]
            })
            .collect::<Vec<_>>();
        let impact = open.then(|| ui::clause("h-impact", "What changes", format!("Computed at {} from today’s people and policies.", time::long(now)), view! {
            <dl class="shifts">
                {shift("People who can take the value", view.people_now, people_after, "")}
                {shift("Workloads that fetch it", view.workloads_now, machines_after, "")}
                {shift("People who know it", view.known_now, known_after, if verb == "copy" { "once copied" } else { "once read" })}
            </dl>
            {ui::table("Effective access, now and after approval", &["Who", "Now", "After approval", "Until"], effects)}
        }.into_any()));
        let risks = view
            .risks
            .iter()
            .map(|(word, what, small)| (*word, view! { {what.clone()}<small>{small.clone()}</small> }.into_any()))
            .collect();
        let covered = view.secrets.iter().map(|(id, path, class)| view! {
            <li><a class="path" href=format!("/secrets/{id}")>{path.clone()}</a>" "<small class="muted">{class.words()}</small></li>
        }).collect_view();
        let decide = decide_part(&view, form, &length, verb);
        let signs = view.seats.iter().map(sign).collect_view();
        let needed = match line.state {
            State::InReview { taken, seats } => {
                let next = view.seats.get(taken).map_or("", |seat| seat.role.words());
                format!("{taken} of {seats} — {} still needed.", next.to_lowercase())
            }
            State::Ended(outcome) => outcome.words().to_owned(),
        };
        let history = view.history.iter().map(|event| view! {
            <li class:ink={let ink = event.ink; move || ink}>{ui::when_short(event.at)}<div><p>{event.words.clone()}</p>{(!event.quote.is_empty()).then(|| view! { <p>{format!("“{}”", event.quote)}</p> })}</div></li>
        }).collect_view();
        let withdraw =
            (view.own && open).then(|| ui::act(format!("/requests/{}/withdraw", line.id), "Withdraw", vec![]));
        let grant = view.grant.clone().map(|_| view! { <p><a href="/access">"See the access that it gave"</a></p> });
        view! {
            {ui::crumbs(vec![("Inbox".into(), Some("/inbox".into())), ("Access request".into(), None)])}
            <section class="clause first"><header>{state_badge(line.state)}</header><div>{sentence}{said}{until}
                <div class="actions pad">{withdraw}</div>{grant}</div></section>
            {impact}
            {ui::clause("h-risk", "Facts that bear on risk", "", ui::facts(risks))}
            {ui::clause("h-covers", "Covers", "Frozen when it was sent.", view! { <ul class="plain">{covered}</ul> }.into_any())}
            {decide}
            {ui::clause("h-need", if open { "Still needed" } else { "Signatures" }, needed, view! { <ol class="signs">{signs}</ol> }.into_any())}
            {ui::clause("h-history", "History", "Newest first, UTC", view! {
                <ol class="timeline">{history}</ol>
                <details class="technical"><summary>"Technical details"</summary>
                    <dl class="facts tight">
                        <dt>"Request"</dt><dd>{ui::id(&line.id)}{format!("revision {}", view.revision)}</dd>
                        <dt>"Digest"</dt><dd class="id">{view.digest.clone()}</dd>
                        <dt>"Policy"</dt><dd class="id">{view.policy.clone()}</dd>
                    </dl>
                </details>
            }.into_any())}
        }
        .into_any()
    })
}

fn decide_part(view: &RequestView, form: &Form, length: &str, verb: &str) -> AnyView {
    let line = &view.line;
    if !matches!(line.state, State::InReview { .. }) {
        return ().into_any();
    }
    let role = match &view.decide {
        Ok(role) => *role,
        Err(refusal) => {
            return ui::clause(
                "h-decide",
                "Decide",
                "",
                ui::callout("info", "You cannot decide this", refusal.to_string()),
            );
        }
    };
    let count = line.paths.len();
    let less = less(view, form);
    let values = if count == 1 { "the value".to_owned() } else { format!("{count} values") };
    view! {
        <form method="post" action=format!("/requests/{}/decide", line.id)>
            <input type="hidden" name="digest" value=view.digest.clone() />
            <section class="clause tinted" aria-labelledby="h-decide">
                <header><h2 id="h-decide">"Decide"</h2>{format!("You decide as {}, on exactly revision {}.", role.words().to_lowercase(), view.revision)}</header>
                <div class="stacked">
                    {ui::text_area(form, "comment", "Comment to the requester and the record", "Required when denying.")}
                    <div class="answers">
                        <button class="answer yes" type="submit" name="answer" value="approve"><span class="ic done" aria-hidden="true"></span><b>"Approve"</b><span>{format!("{} may {verb} {values} for {length}", line.beneficiary.clone().unwrap_or(line.requester.clone()))}</span></button>
                        <button class="answer no" type="submit" name="answer" value="deny"><span class="ic stop" aria-hidden="true"></span><b>"Deny"</b><span>"Ends the request"</span></button>
                    </div>
                    {less}
                </div>
            </section>
        </form>
    }
    .into_any()
}

/// Approving a part: fewer secrets, a shorter time. Offered where there is less to give.
fn less(view: &RequestView, form: &Form) -> AnyView {
    let asked = view.line.minutes;
    let mut lengths: Vec<i64> = [15, 30, 60, 120, 240, 480, 1440, 4320, 10_080, 43_200, 129_600].into();
    lengths.retain(|minutes| *minutes < asked);
    lengths.push(asked);
    lengths.reverse();
    if lengths.len() == 1 && view.secrets.len() == 1 {
        return ().into_any();
    }
    let lengths = lengths.into_iter().map(|minutes| (minutes.to_string(), time::span(TimeDelta::minutes(minutes))));
    let secrets = view.secrets.iter().map(|(id, path, class)| view! {
        <label class="check"><input type="checkbox" name="secret" value=id.clone() checked /><span><code>{path.clone()}</code>" "<small class="muted">{class.words()}</small></span></label>
    }).collect_view();
    let mistake = form.error("secrets").map(|why| view! { <p class="wrong" role="alert">{why}</p> });
    let which = match view.secrets.as_slice() {
        [(only, ..)] => view! { <input type="hidden" name="secret" value=only.clone() /> }.into_any(),
        _ => view! { <fieldset><legend class="label">"Secrets"</legend>{secrets}{mistake}</fieldset> }.into_any(),
    };
    let open = form.error("secrets").is_some() || form.error("minutes").is_some();
    view! {
        <details class="less" open=open><summary>"Approve less than was asked for"</summary>
            <div class="stacked">
                <p class="hint">"What you leave becomes a new revision, signed by you; earlier signatures no longer count."</p>
                {which}
                {ui::pick(form, "minutes", "For how long", "", lengths.collect())}
                <div class="actions"><button class="button" type="submit" name="answer" value="less">"Approve this part"</button></div>
            </div>
        </details>
    }
    .into_any()
}

fn sign(seat: &SeatView) -> AnyView {
    let role = match seat.role {
        Role::Lead => "A lead of the project",
        other => other.words(),
    };
    match &seat.signed {
        Some((name, at, comment)) => view! {
            <li class="sign signed"><span class="line">{name.clone()}" "<span class="ic done" aria-hidden="true"></span></span>
                <span class="role">{role}</span><span class="who">"approved "{ui::when(*at)}{(!comment.is_empty()).then(|| format!(" “{comment}”"))}</span></li>
        }
        .into_any(),
        None => {
            let can = if seat.can.is_empty() { "nobody can decide now: locked".to_owned() } else { format!("can decide now: {}", seat.can.join(", ")) };
            let cannot = seat.cannot.iter().map(|(name, why)| view! { <span class="block">{format!("cannot: {name} — {why}")}</span> }).collect_view();
            view! {
                <li class="sign"><span class="line"><span aria-hidden="true">"×"</span><span class="small">"not signed"</span></span>
                    <span class="role">{role}</span><span class="who">{can}{cannot}</span></li>
            }
            .into_any()
        }
    }
}
