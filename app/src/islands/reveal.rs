//! Taking a value: shown in this element alone for half a minute, or copied without being shown.
//!
//! Without this island the same form answers with a document of its own. The value is never in the page's source, its
//! address, its title or its history; leaving the tab or the window hides it.
use super::browser;
use crate::nav;
use leptos::{ev, prelude::*, task::spawn_local};
use std::time::Duration;

/// How long a value stays on the screen, in seconds.
const SHOWN: u32 = 30;

type Fields = Vec<(String, String)>;

#[island]
pub fn TakeValue(secret: String, copy_only: bool) -> impl IntoView {
    let (purpose, set_purpose) = signal(String::new());
    let (fields, set_fields) = signal::<Fields>(Vec::new());
    let (left, set_left) = signal(0_u32);
    let (said, set_said) = signal(String::new());
    let hide = move || {
        set_fields.set(Vec::new());
        set_left.set(0);
    };
    let ask = {
        let secret = secret.clone();
        move |verb: &'static str| {
            let url = format!("/secrets/{secret}/{verb}");
            let body = nav::form(&[("purpose", &purpose.get_untracked())]);
            spawn_local(async move {
                let answer = browser::json(&url, Some(&body)).await;
                if answer.as_ref().is_some_and(|(_, json)| json["type"] == "urn:countersign:factor_needed") {
                    // The form as it is, sent as without this island: the next page asks for the second factor.
                    browser::send_form(&url);
                    return;
                }
                let (taken, message) = read(answer, verb);
                if verb == "copy" && !taken.is_empty() {
                    let text = taken.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("\n");
                    let done = browser::copy(&text).await;
                    set_said.set(if done {
                        message
                    } else {
                        "The browser refused the clipboard. It is recorded as copied.".into()
                    });
                } else {
                    set_left.set(if taken.is_empty() { 0 } else { SHOWN });
                    set_fields.set(taken);
                    set_said.set(message);
                }
            });
        }
    };
    Effect::new(move |_| {
        set_interval(
            move || {
                let now = left.get_untracked();
                if now == 1 {
                    hide();
                    set_said.set("Hidden again.".into());
                } else if now > 1 {
                    set_left.set(now - 1);
                }
            },
            Duration::from_secs(1),
        );
        for leaving in ["blur", "pagehide"] {
            window_event_listener_untyped(leaving, move |_| hide());
        }
    });
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let copies =
            event.submitter().and_then(|button| button.get_attribute("value")).is_some_and(|verb| verb == "copy");
        ask(if copies || copy_only { "copy" } else { "reveal" });
    };
    view! {
        <form class="stacked take" method="post" action=format!("/secrets/{secret}/{}", if copy_only { "copy" } else { "reveal" }) on:submit=submit>
            <div class="field">
                <label for="purpose">"What do you need it for?" <span class="muted">" goes into the record"</span></label>
                <input class="input" id="purpose" name="purpose" required maxlength="200" autocomplete="off"
                    on:input=move |event| set_purpose.set(event_target_value(&event)) />
            </div>
            <div class="actions">
                {(!copy_only).then(|| view! {
                    <button class="button" type="submit" name="verb" value="reveal"><span class="ic eye" aria-hidden="true"></span>"Show for 30 seconds"</button>
                })}
                <button class="button" type="submit" name="verb" value="copy" formaction=format!("/secrets/{secret}/copy")>
                    <span class="ic copy" aria-hidden="true"></span>"Copy without showing"
                </button>
                <button class="button plain" type="button" class:gone=move || left.get() == 0 on:click=move |_| hide()>
                    {move || format!("Hide now, {} s left", left.get())}
                </button>
            </div>
            <div class="taken" class:gone=move || left.get() == 0>
                {move || fields.get().into_iter().map(|(name, value)| view! {
                    <div><span class="label">{name}</span><output>{value}</output></div>
                }).collect_view()}
            </div>
            <p class="hint" role="status">{move || said.get()}</p>
        </form>
    }
}

/// What the server's answer means: fields and a sentence.
fn read(answer: Option<(u16, serde_json::Value)>, verb: &str) -> (Fields, String) {
    let Some((status, json)) = answer else {
        return (Vec::new(), "No answer from the server. Nothing was shown.".into());
    };
    if status != 200 {
        return (Vec::new(), json["detail"].as_str().unwrap_or("That was refused.").into());
    }
    let fields = json["fields"].as_array().map(|fields| {
        fields
            .iter()
            .filter_map(|field| Some((field["name"].as_str()?.to_owned(), field["value"].as_str()?.to_owned())))
            .collect()
    });
    let did = if verb == "copy" { "Copied" } else { "Shown" };
    (fields.unwrap_or_default(), format!("{did}. Recorded as event {}.", json["event"]))
}
