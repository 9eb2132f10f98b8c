//! The reference: every call of the API, what it takes and what it answers.
use crate::{session::Shell, ui};
use leptos::prelude::*;

pub struct Section {
    pub name: String,
    pub about: String,
    pub calls: Vec<Call>,
}

pub struct Call {
    pub id: String,
    pub method: String,
    pub path: String,
    pub about: String,
    /// The scope that a personal access token needs for it.
    pub scope: Option<String>,
    pub parameters: Vec<Member>,
    pub body: Vec<Member>,
    pub answer: Vec<Member>,
}

pub struct Member {
    pub name: String,
    pub kind: String,
    pub needed: bool,
    pub about: String,
}

/// Text in which what stands between backticks is code.
fn prose(text: &str) -> AnyView {
    let parts = text.split('`').enumerate().map(|(place, part)| match place % 2 {
        0 => view! { {part.to_owned()} }.into_any(),
        _ => view! { <code>{part.to_owned()}</code> }.into_any(),
    });
    parts.collect_view().into_any()
}

fn members(caption: &'static str, members: Vec<Member>) -> Option<AnyView> {
    if members.is_empty() {
        return None;
    }
    let rows = members
        .into_iter()
        .map(|member| {
            let needed = if member.needed { "" } else { "optional" };
            vec![
                view! { <code>{member.name}</code> }.into_any(),
                view! { {member.kind}<small class="block muted">{needed}</small> }.into_any(),
                prose(&member.about),
            ]
        })
        .collect();
    Some(ui::table(caption, &[caption, "Kind", "Meaning"], rows))
}

fn call(call: Call) -> AnyView {
    let scope = call.scope.map(|scope| view! { <p class="small muted">"Scope "<code>{scope}</code></p> });
    let anchor = call.id.clone();
    view! {
        <section class="call" aria-labelledby=anchor.clone()>
            <h3 id=anchor.clone()><code><b>{call.method}</b>" "{call.path}</code></h3>
            <p>{prose(&call.about)}</p>
            {scope}
            <details class="technical"><summary>"What it takes and answers"<span class="vh">{format!(": {anchor}")}</span></summary>
                {members("Parameter", call.parameters)}
                {members("Member sent", call.body)}
                {members("Member answered", call.answer)}
            </details>
        </section>
    }
    .into_any()
}

pub fn reference(shell: &Shell, sections: Vec<Section>) -> String {
    ui::page(shell, "API", None, || {
        let sections = sections
            .into_iter()
            .map(|section| {
                let calls = section.calls.into_iter().map(call).collect_view();
                view! { <section class="calls"><h2>{section.name}</h2><p class="soft">{section.about}</p>{calls}</section> }
            })
            .collect_view();
        view! {
            {ui::head("API", "What programs may do, by the same rules as these pages.", Some(view! {
                <a class="button" href="/api/v1/openapi.json">"OpenAPI 3.1"</a>
                <a class="button" href="/account#h-tokens">"Make a token"</a>
            }.into_any()))}
            {ui::clause("h-how", "How to call it", "", view! {
                <p>"Send "<code>"authorization: Bearer …"</code>" and, where something is sent, a JSON object with exactly the members named here. Times are RFC 3339 in UTC. Lists come in pages: "<code>"next"</code>" of one is "<code>"before"</code>" of the following."</p>
                <p>"What is refused or wrong is answered as "<code>"application/problem+json"</code>" (RFC 9457): a code that stays, a sentence, and the id that finds it in the trail."</p>
            }.into_any())}
            {sections}
        }
        .into_any()
    })
}
