//! How far a job is, until it is done: then the page is drawn anew. Without it there is a link that looks again.
use super::browser;
use leptos::{prelude::*, task::spawn_local};
use std::time::Duration;

#[island]
pub fn Progress(url: String) -> impl IntoView {
    let (words, set_words) = signal(String::new());
    Effect::new(move |_| {
        let url = url.clone();
        set_interval(
            move || {
                let url = url.clone();
                spawn_local(async move {
                    let Some((200, json)) = browser::json(&url, None).await else { return };
                    set_words.set(json["words"].as_str().unwrap_or_default().to_owned());
                    if json["open"] == false
                        && let Some(window) = leptos::web_sys::window()
                    {
                        let _ = window.location().reload();
                    }
                });
            },
            Duration::from_secs(1),
        );
    });
    view! { <p class="muted small" role="status">{words}</p> }
}
