//! A button that copies what stands beside it.
use super::browser;
use leptos::{prelude::*, task::spawn_local};

#[island]
pub fn CopyText(text: String, label: String) -> impl IntoView {
    let (copied, set_copied) = signal(false);
    let copy = move |_| {
        let text = text.clone();
        spawn_local(async move {
            if browser::copy(&text).await {
                set_copied.set(true);
                set_timeout(move || set_copied.set(false), std::time::Duration::from_secs(2));
            }
        });
    };
    view! {
        <button class="icon-button" type="button" aria-label=label on:click=copy>
            <span class="ic" class:copy=move || !copied.get() class:done=move || copied.get() aria-hidden="true"></span>
            <span class="vh" role="status">{move || if copied.get() { "Copied" } else { "" }}</span>
        </button>
    }
}
