//! Says that events were recorded since the page was drawn. They are shown on a click, never slid under the reader's eyes.
use super::browser;
use leptos::{prelude::*, task::spawn_local};
use std::time::Duration;

/// How often it is looked, in seconds, while the page is seen.
const LOOK: u64 = 10;

#[island]
pub fn Fresh(url: String, show: String) -> impl IntoView {
    let (words, set_words) = signal(String::new());
    Effect::new(move |_| {
        let url = url.clone();
        set_interval(
            move || {
                let hidden = leptos::web_sys::window()
                    .and_then(|window| window.document())
                    .is_none_or(|document| document.hidden());
                if hidden {
                    return;
                }
                let url = url.clone();
                spawn_local(async move {
                    if let Some((200, json)) = browser::json(&url, None).await {
                        set_words.set(json["words"].as_str().unwrap_or_default().to_owned());
                    }
                });
            },
            Duration::from_secs(LOOK),
        );
    });
    view! {
        <p class="fresh" role="status">
            {move || (!words.get().is_empty()).then(|| view! { {words.get()}" — "<a href=show.clone()>"show"</a> })}
        </p>
    }
}
