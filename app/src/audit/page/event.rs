//! One event: a sentence, what it changed, who decided, where it leads, and its proof.
use super::{Line, Search, at, filter::more_or_less, outcome_badge};
use crate::{
    audit::query::{Key, Query},
    policies::model::Tier,
    session::Shell,
    time::{self, Moment},
    ui,
};
use leptos::prelude::*;

/// A value of an event: how it is read, where it leads, and how events with it are found.
pub struct Fact {
    pub label: &'static str,
    pub shown: String,
    /// What it is called in the trail, where that is another text.
    pub id: Option<String>,
    pub href: Option<String>,
    pub find: Option<(Key, String)>,
}

/// What was one way and is another now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub what: String,
    pub before: String,
    pub after: String,
}

/// One event, its proof and who checked it.
pub struct EventView {
    pub line: Line,
    /// The project, and the environment's name and level.
    pub place: Option<(String, Option<(String, Tier)>)>,
    pub facts: Vec<Fact>,
    pub changes: Vec<Change>,
    pub details: Vec<(String, String)>,
    pub reason: String,
    pub quote: Option<String>,
    pub policy: Option<(String, u32)>,
    /// Sensitive fields that are disclosed, and names of those withheld.
    pub disclosed: Vec<(String, String)>,
    pub withheld: Vec<String>,
    /// Repeats that this event stands for.
    pub suppressed: Option<u64>,
    pub json: String,
    pub leaf: String,
    pub root: String,
    pub size: u64,
    pub proof: Vec<String>,
    /// The proof was checked by this server just now.
    pub proven: bool,
    pub checked_at: Moment,
    /// Whoever acted, as a query says it.
    pub actor: Option<String>,
}

impl EventView {
    /// Who did what to what, where.
    fn sentence(&self) -> AnyView {
        let line = &self.line;
        let place = self.place.as_ref().map(|(project, environment)| {
            let environment = environment.as_ref().map(|(name, tier)| {
                let name = (name != tier.code()).then(|| format!("{name} "));
                view! { " / "{name}{ui::env(*tier)} }
            });
            view! { " in "{project.clone()}{environment} }
        });
        let about = (!line.about.is_empty()).then(|| view! { ": "<b>{line.about.clone()}</b> });
        view! { <b>{line.actor.clone()}</b>" — "{line.words.clone()}{about}{place}"." }.into_any()
    }

    fn around(&self, zone: &str) -> String {
        let seq = self.line.seq;
        at(&format!("event:{}..{}", seq.saturating_sub(20), seq + 20), zone)
    }

    fn same_actor(&self, zone: &str) -> Option<String> {
        let actor = self.actor.as_ref()?;
        let edge = |minutes: i64| (self.line.at + chrono::TimeDelta::minutes(minutes)).format("%Y-%m-%dT%H:%M:%SZ");
        let query = Query::default().with(false, Key::Actor, actor);
        let query = query.with(false, Key::Created, &format!("{}..{}", edge(-15), edge(15)));
        Some(at(&query.to_string(), zone))
    }

    fn changed(&self) -> Option<AnyView> {
        if self.changes.is_empty() {
            return None;
        }
        let rows = self
            .changes
            .iter()
            .map(|change| {
                view! {
                    <span><small class="block muted">{change.what.clone()}</small>{change.before.clone()}</span>
                    <span class="ic go" aria-hidden="true"></span><span class="vh">"became"</span>
                    <ins class="plus">{change.after.clone()}</ins>
                }
            })
            .collect_view();
        Some(view! { <div class="beforeafter">{rows}</div> }.into_any())
    }

    fn facts(&self, search: &Search) -> AnyView {
        let rows = self
            .facts
            .iter()
            .map(|fact| {
                let shown = match &fact.href {
                    Some(href) => view! { <a href=href.clone()>{fact.shown.clone()}</a> }.into_any(),
                    None => ui::text(fact.shown.clone()),
                };
                let id = fact.id.clone().map(|id| view! { <small class="id">{id}</small> });
                let find = fact.find.as_ref().map(|(key, value)| more_or_less(search, *key, value));
                view! { <dt>{fact.label}</dt><dd>{shown}{find}{id}</dd> }
            })
            .collect_view();
        let details = self
            .details
            .iter()
            .chain(&self.disclosed)
            .map(|(name, value)| view! { <dt>{name.replace('_', " ")}</dt><dd class="said">{value.clone()}</dd> })
            .collect_view();
        let withheld =
            (!self.withheld.is_empty()).then(|| view! { <dt>"Withheld"</dt><dd>{self.withheld.join(", ")}</dd> });
        let repeats = self
            .suppressed
            .map(|count| view! { <dt>"Repeats"</dt><dd>{format!("stands for {count} more of the same")}</dd> });
        view! {
            <dl class="facts tight">
                <dt>"Outcome"</dt><dd>{outcome_badge(self.line.outcome)}{(!self.reason.is_empty()).then(|| view! { <small>{self.reason.clone()}</small> })}</dd>
                {rows}{repeats}{details}{withheld}
            </dl>
        }
        .into_any()
    }

    fn policy(&self) -> AnyView {
        match &self.policy {
            Some((id, version)) => {
                let href = super::only(Key::Policy, id);
                // Rules of a document are named by it: `document/rule`.
                let whose = if id.contains('/') { "of a policy of yours" } else { "built in" };
                let why = format!("/audit/{}/why", self.line.seq);
                view! { "Rule "<a href=href><code>{id.clone()}</code></a>{format!(", {whose}, version {version} · ")}<a href=why>"why"</a> }
                    .into_any()
            }
            None => ui::text("No policy: an act of the service or of its rules."),
        }
    }

    fn proof(self) -> AnyView {
        let tick = if self.proven {
            view! { {ui::badge("good", "In the tree")}<small class="block">{format!("Checked by this server at {}, against its signed tree of {} events. It proves nothing against whoever runs this server unless you hold an earlier checkpoint.", time::long(self.checked_at), self.size)}</small> }.into_any()
        } else {
            view! { {ui::badge("danger", "Not proven")}<small class="block">"The stored tree does not contain this event as it is stored. Run countersign audit verify."</small> }.into_any()
        };
        let path = self.proof.into_iter().map(|hash| view! { <span class="block">{hash}</span> }).collect_view();
        view! {
            <p>{tick}</p>
            <details class="technical"><summary>"Technical details"</summary><dl class="facts tight">
                <dt>"Leaf hash"</dt><dd class="id">{self.leaf}</dd>
                <dt>"Tree head"</dt><dd class="id">{format!("{} · {}", self.size, self.root)}</dd>
                <dt>"Path"</dt><dd class="id">{path}</dd>
                <dt>"As data"</dt><dd><a href=format!("/log/proof/{}", self.line.seq)>"proof"</a>", "<a href="/log/checkpoint">"checkpoint"</a></dd>
            </dl></details>
        }
        .into_any()
    }

    fn looks(&self, zone: &str) -> AnyView {
        view! {
            <p class="looks"><a href=self.around(zone)>"Around this event"</a>
            {self.same_actor(zone).map(|href| view! { <a href=href>"Same actor, 15 minutes before and after"</a> })}</p>
        }
        .into_any()
    }
}

/// The event beside the list.
pub fn side(view: EventView, search: &Search, close: String) -> AnyView {
    let (seq, shown) = (view.line.seq, view.line.shown);
    let changed = view.changed().map(|changes| view! { <div><h3>"Before and after"</h3>{changes}</div> });
    let quote = view.quote.clone().map(|quote| view! { <p class="quote">{format!("“{quote}”")}</p> });
    let (sentence, facts, policy, looks) =
        (view.sentence(), view.facts(search), view.policy(), view.looks(&search.zone));
    let json = view.json.clone();
    view! {
        <aside class="side" id="event" aria-labelledby="ev-title" tabindex="-1">
            <header><p>"Event "<b class="soft">{seq}</b></p><span><a class="button plain" href=format!("/audit/{seq}")>"Open page"</a><a class="icon-button" href=close aria-label="Close event"><span class="ic stop" aria-hidden="true"></span></a></span></header>
            <div><h2 id="ev-title">{sentence}</h2>
                <p class="small muted when"><time datetime=time::rfc3339(view.line.at)>{shown.format("%a %-d %b %Y, %H:%M:%S %:z").to_string()}</time></p>{quote}{looks}</div>
            {changed}
            <div><h3>"Decided by"</h3><p>{policy}</p></div>
            <div>{facts}</div>
            <div>{view.proof()}</div>
            <details class="technical"><summary>"As recorded"</summary><pre class="code">{json}</pre></details>
        </aside>
    }
    .into_any()
}

/// The event on a page of its own.
pub fn event(shell: &Shell, view: EventView) -> String {
    let title = format!("Event {}", view.line.seq);
    ui::page(shell, &title, None, || {
        let search = Search { zone: "UTC".into(), ..Search::default() };
        let (before, after) = (view.line.seq.checked_sub(1), view.line.seq + 1);
        let (size, seq) = (view.size, view.line.seq);
        let changed = view.changed().map(|changes| ui::clause("h-changes", "Before and after", "", changes));
        let sentence = view.sentence();
        let (facts, policy, looks, json) = (view.facts(&search), view.policy(), view.looks("UTC"), view.json.clone());
        let quote = view.quote.clone().map(|quote| view! { <p class="quote">{format!("“{quote}”")}</p> });
        let (words, about, at) =
            (view.line.words.clone(), format!("{} · {}", view.line.actor, view.line.about), view.line.at);
        view! {
            {ui::crumbs(vec![("Audit trail".into(), Some("/audit".into())), (format!("Event {seq}"), None)])}
            {ui::head(words, about, Some(view! {
                {before.map(|seq| view! { <a class="button" href=format!("/audit/{seq}")>"Before"</a> })}
                {(after < size).then(|| view! { <a class="button" href=format!("/audit/{after}")>"After"</a> })}
            }.into_any()))}
            {ui::clause("h-what", "What happened", "", view! { <p class="lead">{sentence}</p><p class="small muted">{ui::when(at)}</p>{quote}{looks}{facts} }.into_any())}
            {changed}
            {ui::clause("h-policy", "Decided by", "", policy)}
            {ui::clause("h-proof", "Proof", "A tick says who checked.", view.proof())}
            {ui::clause("h-json", "As recorded", "These bytes are hashed.", view! { <pre class="code">{json}</pre> }.into_any())}
        }
        .into_any()
    })
}
