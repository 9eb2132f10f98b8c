//! My access.
use super::model::State;
use crate::{
    policies::model::{Right, Tier},
    session::Shell,
    time::Moment,
    ui,
};
use leptos::prelude::*;

pub struct Line {
    pub id: String,
    pub request: String,
    pub right: Right,
    pub project: String,
    pub tier: Tier,
    /// `(id, path)`
    pub secrets: Vec<(String, String)>,
    pub expires_at: Moment,
    pub state: State,
}

fn covered(secrets: &[(String, String)]) -> AnyView {
    let links = secrets
        .iter()
        .take(6)
        .map(|(id, path)| view! { <a class="path block" href=format!("/secrets/{id}")>{path.clone()}</a> })
        .collect_view();
    let more = secrets.len().saturating_sub(6);
    view! { {links}{(more > 0).then(|| format!("and {more} more"))} }.into_any()
}

pub fn access(shell: &Shell, active: Vec<Line>, past: Vec<Line>) -> String {
    ui::page(shell, "My access", None, || {
        let now = shell.now;
        let (held, ended) = (active.len(), past.len());
        let active = active
            .into_iter()
            .map(|line| {
                vec![
                    covered(&line.secrets),
                    view! { {ui::env(line.tier)}" "<small class="muted">{line.project}</small> }.into_any(),
                    ui::text(line.right.words()),
                    ui::when_about(line.expires_at, now),
                    ui::act(format!("/grants/{}/give-back", line.id), "I’m done", vec![]),
                ]
            })
            .collect();
        let past = past
            .into_iter()
            .map(|line| {
                vec![
                    covered(&line.secrets),
                    view! { {ui::env(line.tier)}" "<small class="muted">{line.project}</small> }.into_any(),
                    ui::link(format!("/requests/{}", line.request), line.right.words()),
                    ui::when(line.expires_at),
                    ui::badge("ended", line.state.words()),
                ]
            })
            .collect();
        view! {
            {ui::head("My access", "What you hold now and until when. Giving back early leaves one thing less to steal.", None)}
            {ui::group("Now", held, "the first to end first")}
            {if held == 0 {
                ui::empty("You hold nothing", "Access is asked for, decided by somebody else, and ends by itself.", Some(("/projects".into(), "Find a secret to ask for")))
            } else {
                ui::table("Access you hold", &["Secrets", "Where", "To", "Until", ""], active)
            }}
            {ui::group("Before", ended, "you can no longer read these here; what you saw, you have seen")}
            {if ended == 0 { ().into_any() } else { ui::table("Access you held", &["Secrets", "Where", "To", "Until", "How it ended"], past) }}
        }
        .into_any()
    })
}
