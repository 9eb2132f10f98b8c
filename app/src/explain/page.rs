//! Why somebody may or may not; who can read a secret, and could; what a decision was made from.
use super::model::{
    Access, Act, Ask, Decided, Explanation, Given, GrantRoute, HeldRole, Known, Named, Place, Rule, Source, Verdict,
};
use crate::{
    grants::model::State,
    policies::model::Right,
    session::Shell,
    time::Moment,
    ui::{self, Band, Form},
};
use leptos::prelude::*;

/// "Would: yes" in the words of the screen.
fn verdict(verdict: Verdict) -> AnyView {
    match verdict {
        Verdict::Yes => ui::badge("good", "yes"),
        Verdict::WithFactor => ui::badge("note", "yes, with their second factor"),
        Verdict::No(_) => ui::badge("danger", "no"),
    }
}

fn named(named: &Named) -> AnyView {
    ui::link(named.href.clone(), named.name.clone())
}

/// Names with commas between, the first eight of them.
fn names(people: &[Named]) -> AnyView {
    let more = people.len().saturating_sub(8);
    let shown = people
        .iter()
        .take(8)
        .enumerate()
        .map(|(at, person)| view! { {(at > 0).then_some(", ")}{named(person)} })
        .collect_view();
    view! { {shown}{(more > 0).then(|| format!(" and {more} more"))} }.into_any()
}

/// A rule by name, with its text within reach.
fn rule(rule: &Rule) -> AnyView {
    let place = match &rule.document {
        Some(document) => view! { <a href=format!("/policies/{document}")>{format!("version {}, line {}", rule.version, rule.line)}</a> }.into_any(),
        None => ui::text(format!("built in, line {}", rule.line)),
    };
    view! {
        <details class="more"><summary><code>{rule.id.clone()}</code></summary>
            <p class="small muted">{place}</p>
            <pre class="code">{rule.text.clone()}</pre>
        </details>
    }
    .into_any()
}

fn help(ask: &Ask) -> AnyView {
    let href = ask.href.as_ref().map(|(href, words)| view! { " "<a href=href.clone()>{*words}</a> });
    let people = (!ask.people.is_empty()).then(|| view! { " "{names(&ask.people)}"." });
    let nobody = (ask.people.is_empty() && ask.words.ends_with(':')).then_some(" nobody holds that role now.");
    view! { <p class="small"><b>"Whom to ask. "</b>{ask.words.clone()}{people}{nobody}{href}</p> }.into_any()
}

fn act(act: &Act, own: bool) -> Vec<AnyView> {
    let needs = (!act.needs.is_empty()).then(|| {
        let ways: Vec<String> =
            act.needs.iter().map(|way| way.iter().map(|need| need.words()).collect::<Vec<_>>().join(" and ")).collect();
        view! { <p class="small"><b>"It would take "</b>{ways.join(", or ")}"."</p> }
    });
    let depends = (!act.depends.is_empty()).then(|| {
        view! { <p class="small muted">{format!("Policies look at {} here: said for now.", act.depends.join(", "))}</p> }
    });
    let why = match (&act.verdict, &act.rule) {
        (_, Some(found)) => rule(found),
        (Verdict::No(_), None) if act.needs.is_empty() => ui::text("no rule: the fact itself"),
        (_, None) => ui::text("no rule allows it"),
    };
    let sentence = match act.verdict {
        Verdict::No(refusal) if own => Some(view! { <p>{refusal.to_string()}</p> }.into_any()),
        // As it would be said to them.
        Verdict::No(refusal) => Some(view! { <p class="small muted">{format!("“{refusal}”")}</p> }.into_any()),
        _ => None,
    };
    let nothing = sentence.is_none() && needs.is_none() && act.ask.is_none() && depends.is_none();
    vec![
        ui::text(act.words()),
        view! { {verdict(act.verdict)} }.into_any(),
        why,
        match nothing {
            true => ui::text("—"),
            false => view! { {sentence}{needs}{act.ask.as_ref().map(help)}{depends} }.into_any(),
        },
    ]
}

fn given(given: &Given) -> AnyView {
    match given {
        Given::ByRule => ui::text("by rule"),
        Given::By(people) => view! { "approved by "{names(people)} }.into_any(),
    }
}

fn state(route: &GrantRoute) -> AnyView {
    let kind = match route.state {
        State::Active => "good",
        State::Scheduled | State::Suspended => "wait",
        State::Ended | State::Revoked | State::GivenBack => "ended",
    };
    ui::badge(kind, route.state.words())
}

fn grant(route: &GrantRoute) -> Vec<AnyView> {
    vec![
        ui::link(format!("/requests/{}", route.request), format!("Grant to {}", route.right.words())),
        state(route),
        view! { {given(&route.given)}<small class="block muted">{format!("approval policy {}", route.policy)}</small> }
            .into_any(),
        ui::when(route.from),
        ui::when(route.until),
    ]
}

fn role(role: &HeldRole) -> Vec<AnyView> {
    let place = role.project.clone().unwrap_or_else(|| "the organisation".to_owned());
    let source = match &role.source {
        Source::ByHand(Some(by)) => view! { "given by "{named(by)} }.into_any(),
        Source::ByHand(None) => ui::text("when the console was set up"),
        Source::Group(group) => view! { "by the group "<code>{group.clone()}</code> }.into_any(),
    };
    vec![
        match role.reads {
            Some(period) => ui::text(format!("{}, events of {}", role.role, period.words())),
            None => ui::text(role.role.words()),
        },
        ui::text(place),
        source,
        ui::when(role.from),
        role.until.map_or_else(|| ui::text("no end"), ui::when),
    ]
}

fn known(known: &Known) -> AnyView {
    view! { <code>{format!("v{}", known.version)}</code>{known.current.then_some(" current")} }.into_any()
}

fn band(place: &Place) -> Band {
    Band { project: place.project.1.clone(), environment: place.environment.clone(), tier: place.tier }
}

fn crumbs(place: &Place, last: &str) -> AnyView {
    ui::crumbs(vec![
        ("Projects".into(), Some("/projects".into())),
        (place.project.1.clone(), Some(format!("/projects/{}", place.project.0))),
        (place.path.clone(), Some(format!("/secrets/{}", place.secret))),
        (last.into(), None),
    ])
}

/// The two fields that everything is asked by.
fn form(form: &Form) -> AnyView {
    view! {
        <form class="sheet" method="get" action="/explain">
            {ui::input(form, "who", "Who", "text", "A sign-in name, a workload’s short name, or an id. Empty: you.")}
            {ui::input(form, "secret", "Secret", "text", "project/environment/path, or its id.")}
            <div><button class="button primary" type="submit">"Explain"</button></div>
        </form>
    }
    .into_any()
}

/// The page before anything was asked, or after a mistake.
pub fn asked(shell: &Shell, filled: &Form) -> String {
    ui::page(shell, "Explain access", None, || {
        view! {
            {ui::head("Explain access", "May they? By which grant, role, rule and line; every other route; and whom to ask.", None)}
            {form(filled)}
        }
        .into_any()
    })
}

pub fn explanation(shell: &Shell, view: &Explanation, filled: &Form) -> String {
    let title = format!("{} and {}", view.whom.name, view.place.path);
    ui::page(shell, &title, Some(band(&view.place)), || {
        let takes = view.acts.iter().filter(|act| {
            use crate::audit::action::Action::{CopySecret, FetchSecret, RevealSecret};
            matches!(act.action, RevealSecret | CopySecret | FetchSecret)
        });
        let reads = view.account.is_none() && takes.clone().any(|act| act.verdict.is_open());
        let summary = match (&view.account, reads) {
            (Some(why), _) => ui::callout("attention", format!("{} cannot act here", view.whom.name), why.clone()),
            (None, true) => ui::callout(
                "note",
                format!("{} can take this value", view.whom.name),
                "Each time is recorded; below is what allows it.",
            ),
            (None, false) if !view.workloads.is_empty() => ui::callout(
                "attention",
                format!("{} cannot take this value themself", view.whom.name),
                "A workload can, for which they may issue a client secret: see below.",
            ),
            (None, false) => ui::callout(
                "note",
                format!("{} cannot take this value", view.whom.name),
                "Below is what stands in the way, and who can help.",
            ),
        };
        let acts: Vec<_> = view.acts.iter().map(|one| act(one, view.own)).collect();
        let grants: Vec<_> = view.grants.iter().map(grant).collect();
        let roles: Vec<_> = view.roles.iter().map(role).collect();
        let routes: Vec<_> = view
            .workloads
            .iter()
            .map(|route| {
                vec![
                    named(&route.workload),
                    verdict(route.verdict),
                    route.rule.as_ref().map_or_else(|| ui::text(""), rule),
                    ui::when(route.until),
                ]
            })
            .collect();
        let knows: Vec<_> =
            view.known.iter().map(|one| vec![known(one), ui::text(one.how.clone()), ui::when(one.since)]).collect();
        let person = !view.workload;
        let (no_grants, no_roles, no_routes, no_knows) =
            (grants.is_empty(), roles.is_empty(), routes.is_empty(), knows.is_empty());
        let about = if person {
            "Asked of the engine now, as at the act itself."
        } else {
            "Asked of the engine now, as at each fetch."
        };
        view! {
            {crumbs(&view.place, "Explained")}
            {ui::head(title.clone(), "Asked now, and without effect: nothing here decides anything.", None)}
            {summary}
            {ui::clause("h-acts", "May they", about, ui::table("What they may do with this secret", &["Act", "May they", "Decided by", "What helps"], acts))}
            {ui::clause("h-grants", "Grants", "The only thing that reads a value.",
                if no_grants { ui::text("They never held a grant on it.") } else { ui::table("Grants on this secret, newest first", &["What", "State", "Given", "From", "Until"], grants) })}
            {person.then(|| ui::clause("h-routes", "Through workloads", "Whoever may issue a client secret can fetch what the workload may, in its name. Each is an event.",
                if no_routes { ui::text("None: no workload that reads it is theirs to give a client secret to.") } else { ui::table("Workloads that they could act through", &["Workload", "May issue", "Decided by", "It reads until"], routes) }))}
            {person.then(|| ui::clause("h-roles", "Roles", "What counts in this project, and where it comes from. No role reads a value.",
                if no_roles { ui::text("None but member.") } else { ui::table("Roles that count here", &["Role", "In", "From whom", "Since", "Until"], roles) }))}
            {person.then(|| ui::clause("h-knows", "Knows", "Ending access ends reading, not knowledge.",
                if no_knows { ui::text("No version that may still work.") } else { ui::table("Versions that they know", &["Version", "How", "Since"], knows) }))}
            {ui::clause("h-ask", "Ask again", "", form(filled))}
        }
        .into_any()
    })
}

/// Who can read it, or could.
pub fn access(shell: &Shell, view: &Access, filled: &Form) -> String {
    let title = format!("Who can read {}", view.place.path);
    ui::page(shell, &title, Some(band(&view.place)), || {
        let readers: Vec<_> = view
            .readers
            .iter()
            .map(|reader| {
                let behind = (!reader.behind.is_empty())
                    .then(|| view! { <small class="block muted">"client secrets can be issued by "{names(&reader.behind)}</small> });
                let no = match reader.verdict {
                    Verdict::No(refusal) => Some(view! { <small class="block">{refusal.to_string()}</small> }),
                    _ => None,
                };
                let depends = (!reader.depends.is_empty()).then(|| {
                    view! { <small class="block muted">{format!("policies look at {} here", reader.depends.join(", "))}</small> }
                });
                let explain = (!view.past).then(|| {
                    let href = crate::nav::address("/explain", &[("who", &reader.who.id), ("secret", &view.place.secret)]);
                    view! { <small class="block"><a href=href>"explain"</a></small> }
                });
                vec![
                    view! { {named(&reader.who)}{reader.workload.then(|| view! { <small class="block muted">"workload"</small> })} }.into_any(),
                    ui::text(if reader.grant.right == Right::Write { "write a value" } else { "take the value" }),
                    view! { {verdict(reader.verdict)}{no}{reader.rule.as_ref().map(rule)}{depends}{explain} }.into_any(),
                    view! { {given(&reader.grant.given)}" · "<a href=format!("/requests/{}", reader.grant.request)>"request"</a>{behind} }.into_any(),
                    ui::when(reader.grant.until),
                ]
            })
            .collect();
        let knowers: Vec<_> = view
            .knowers
            .iter()
            .map(|one| {
                vec![named(&one.who), known(&one.known), ui::text(one.known.how.clone()), ui::when(one.known.since)]
            })
            .collect();
        let (no_readers, no_knowers) = (readers.is_empty(), knowers.is_empty());
        let when = if view.past {
            view! { "As of "{ui::when(view.at)}": grants, roles, policies and what held at the level, as they were then; class, groups and second factors as they are now." }.into_any()
        } else {
            view! { "As of now, "{ui::when(view.at)}"." }.into_any()
        };
        let (could, knew) = if view.past { ("Who could", "Who knew") } else { ("Who can", "Who knows") };
        view! {
            {crumbs(&view.place, "Who can read it")}
            {ui::head(title.clone(), "By a grant alone, as far as policies let it be used; and whoever knows a version that may still work.", None)}
            <form class="sheet" method="get" action=format!("/secrets/{}/access", view.place.secret)>
                {ui::input(filled, "at", "When", "text", "A day or a moment in UTC, as 2026-11-24 or 2026-11-24T09:30. Empty: now. A day is asked at its end.")}
                <div class="actions"><button class="button" type="submit">"Show"</button></div>
            </form>
            <p class="pad">{when}</p>
            {ui::clause("h-can", could, "No role reads a value.",
                if no_readers { ui::text("Nobody: there is no grant on it.") } else { ui::table("Who can take or write the value", &["Who", "What", "May they", "Given", "Until"], readers) })}
            {ui::clause("h-know", knew, "Typed, shown or copied, and not shown to be dead.",
                if no_knowers { ui::text("Nobody.") } else { ui::table("Who knows which version", &["Who", "Version", "How", "Since"], knowers) })}
        }
        .into_any()
    })
}

/// One decision of the past.
pub fn decided(shell: &Shell, view: &Decided) -> String {
    let title = format!("Why event {} was decided so", view.seq);
    ui::page(shell, &title, None, || {
        let outcome = if view.allowed { ui::badge("good", "allowed") } else { ui::badge("danger", "refused") };
        let then = match &view.rule {
            Some(found) => {
                view! { <p class="small muted">{place_of(found)}</p><pre class="code">{found.text.clone()}</pre> }
                    .into_any()
            }
            None if view.rule_id == "default-deny" => {
                ui::text("No rule allowed it, and nothing is allowed that no rule allows.")
            }
            None => ui::text("The text of this version is not at hand here."),
        };
        let of = match &view.rule {
            Some(rule) if rule.document.is_none() => "Built in, as this version of the console has it.",
            _ => "As it was written then.",
        };
        let fixed = view.fixed.then(|| view! {
            <p>"What refused is no policy: a fixed rule (separation of duties, an end, a waiting time) that none switches off."</p>
        });
        let facts = match &view.facts {
            Some(facts) => {
                let pairs = facts
                    .iter()
                    .map(|(word, what)| view! { <dt>{word.clone()}</dt><dd>{what.clone()}</dd> })
                    .collect_view();
                view! { <dl class="facts">{pairs}</dl> }.into_any()
            }
            None => ui::text("What it was made from is not kept any more: inputs are kept for 400 days."),
        };
        let today = view.now.map(|now| {
            let sentence = match now {
                Verdict::No(refusal) => Some(view! { <p>{refusal.to_string()}</p> }),
                _ => None,
            };
            let same = now.is_open() == view.allowed;
            let words = if same {
                "The same facts would be answered the same way today."
            } else {
                "The same facts would be answered otherwise today."
            };
            ui::clause(
                "h-now",
                "Today",
                "The same facts, at the same hour, with what is in force now.",
                view! { <p>{verdict(now)}" "{words}</p>{sentence}{view.now_rule.as_ref().map(rule)} }.into_any(),
            )
        });
        view! {
            {ui::crumbs(vec![("Audit trail".into(), Some("/audit".into())), (format!("Event {}", view.seq), Some(format!("/audit/{}", view.seq))), ("Why".into(), None)])}
            {ui::head(title.clone(), "What decided, what it knew, and whom to ask.", None)}
            {ui::clause("h-what", "Decided", "", view! {
                <p>{view.action.words()}" — "{outcome}" "{ui::when(view.at)}</p>
                {view.refusal.map(|refusal| view! { <p>{refusal.to_string()}</p> })}
                {fixed}
            }.into_any())}
            {ui::clause("h-rule", if view.fixed { "Policy allowed it" } else { "By this rule" }, of, view! { <p><code>{view.rule_id.clone()}</code>{format!(", version {}", view.version)}</p>{then} }.into_any())}
            {ui::clause("h-facts", "From these facts", "As they were kept with the decision.", facts)}
            {today}
            {view.ask.as_ref().map(|ask| ui::clause("h-help", "Whom to ask", "As of now.", help(ask)))}
        }
        .into_any()
    })
}

fn place_of(rule: &Rule) -> AnyView {
    match &rule.document {
        Some(document) => {
            view! { <a href=format!("/policies/{document}")>{format!("line {} of its document", rule.line)}</a> }
                .into_any()
        }
        None => ui::text(format!("built in, line {}", rule.line)),
    }
}

/// A moment as it was typed: a day means its end.
pub fn moment(text: &str) -> Option<Moment> {
    let text = text.trim().trim_end_matches('Z');
    let at = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M")
        .or_else(|_| chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S"))
        .ok()
        .or_else(|| text.parse::<chrono::NaiveDate>().ok()?.succ_opt()?.and_hms_opt(0, 0, 0));
    at.map(|at| at.and_utc())
}

#[cfg(test)]
mod tests {
    use super::moment;
    use crate::time::rfc3339;

    #[test]
    fn a_day_means_its_end() {
        assert_eq!(moment("2026-11-24").map(rfc3339), moment("2026-11-25T00:00").map(rfc3339));
        assert_eq!(moment(" 2026-11-24T09:30Z ").map(rfc3339), moment("2026-11-24T09:30:00").map(rfc3339));
        assert!(moment("24.11.2026").is_none() && moment("").is_none());
    }
}
