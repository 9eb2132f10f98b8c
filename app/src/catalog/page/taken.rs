//! The value without JavaScript.
use crate::{session::Shell, ui};
use leptos::prelude::*;

/// The value without JavaScript: the only document that may hold one.
pub fn taken(shell: &Shell, path: &str, fields: Vec<(String, String)>, event: u64, back: &str) -> String {
    let (path, back) = (path.to_owned(), back.to_owned());
    ui::door(shell, "Value", move || {
        let fields = fields
            .into_iter()
            .map(|(name, value)| view! { <div><span class="label">{name}</span><output>{value}</output></div> })
            .collect_view();
        view! {
            <div class="stack">
                <div><h1>"The value"</h1><p class="purpose"><code>{path.clone()}</code>{format!(". Recorded as event {event}. Leave this page when you have it; it is kept nowhere.")}</p></div>
                <div class="taken">{fields}</div>
                <p><a class="button" href=back.clone()>"Done"</a></p>
            </div>
        }
        .into_any()
    })
}
