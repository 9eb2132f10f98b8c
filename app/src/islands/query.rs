//! Completes keys and values in the trail's query box. Without it the box is a box, and the list of keys stands below.
use super::browser;
use crate::nav;
use leptos::{ev, html, prelude::*, task::spawn_local, wasm_bindgen::JsCast};
use web_sys::{HtmlInputElement, KeyboardEvent};

#[derive(Clone, PartialEq)]
struct Offer {
    value: String,
    words: String,
}

/// What the server offers for the part of the text between two characters.
#[derive(Clone, Default, PartialEq)]
struct Offers {
    start: usize,
    end: usize,
    list: Vec<Offer>,
}

#[island]
pub fn QueryBox() -> impl IntoView {
    let list = NodeRef::<html::Ul>::new();
    let (offers, set_offers) = signal(Offers::default());
    let (chosen, set_chosen) = signal::<Option<usize>>(None);
    let (asked, set_asked) = signal(0_u32);
    let close = move || {
        // Also what is still to come is no longer wanted.
        set_asked.update(|asked| *asked += 1);
        set_offers.set(Offers::default());
        set_chosen.set(None);
        if let Some(input) = input() {
            let _ = input.set_attribute("aria-expanded", "false");
            let _ = input.remove_attribute("aria-activedescendant");
        }
    };
    let ask = move || {
        let Some(input) = input() else { return };
        // What stands there was offered for other text, and would be put in the wrong place.
        set_chosen.set(None);
        let (text, cursor) = (input.value(), cursor(&input));
        set_asked.update(|asked| *asked += 1);
        let mine = asked.get_untracked();
        spawn_local(async move {
            let url = format!("/audit/suggest?{}", nav::form(&[("text", &text), ("cursor", &cursor.to_string())]));
            let found = browser::json(&url, None).await;
            // An answer to an older text is too late.
            if asked.get_untracked() != mine {
                return;
            }
            let found = found.filter(|(status, _)| *status == 200).map(|(_, json)| read(&json)).unwrap_or_default();
            let open = (!found.list.is_empty()).to_string();
            set_chosen.set(None);
            set_offers.set(found);
            if let Some(input) = self::input() {
                let _ = input.set_attribute("aria-expanded", &open);
            }
        });
    };
    let take = move |place: usize| {
        let offers = offers.get_untracked();
        let (Some(input), Some(offer)) = (input(), offers.list.get(place)) else { return };
        let letters: Vec<char> = input.value().chars().collect();
        let (start, end) = (offers.start.min(letters.len()), offers.end.min(letters.len()));
        let before: String = letters[..start].iter().collect();
        let after: String = letters[end.max(start)..].iter().collect();
        // Behind a value comes a space; behind a key its value.
        let space = if offer.value.ends_with(':') || after.starts_with(' ') { "" } else { " " };
        let head = format!("{before}{}{space}", offer.value);
        let at = head.encode_utf16().count() as u32;
        input.set_value(&format!("{head}{after}"));
        let _ = input.focus();
        let _ = input.set_selection_range(at, at);
        close();
        if offer.value.ends_with(':') {
            ask();
        }
    };
    Effect::new(move |_| {
        let Some(input) = input() else { return };
        for (name, value) in [
            ("role", "combobox"),
            ("aria-controls", "q-list"),
            ("aria-expanded", "false"),
            ("aria-autocomplete", "list"),
        ] {
            let _ = input.set_attribute(name, value);
        }
        let is_ours = |event: &web_sys::Event| {
            let target = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
            target.is_some_and(|target| target.id() == "q")
        };
        window_event_listener(ev::input, move |event| {
            if is_ours(&event) {
                ask();
            }
        });
        window_event_listener(ev::focusout, move |event| {
            if is_ours(&event) {
                close();
            }
        });
        window_event_listener(ev::keydown, move |event: KeyboardEvent| {
            let count = offers.with_untracked(|offers| offers.list.len());
            if !is_ours(&event) || count == 0 {
                return;
            }
            match event.key().as_str() {
                "ArrowDown" => {
                    set_chosen.update(|chosen| *chosen = Some(chosen.map_or(0, |place| (place + 1) % count)))
                }
                "ArrowUp" => {
                    set_chosen
                        .update(|chosen| *chosen = Some(chosen.map_or(count - 1, |place| (place + count - 1) % count)));
                }
                "Enter" | "Tab" => match chosen.get_untracked() {
                    Some(place) => take(place),
                    None => return close(),
                },
                "Escape" => close(),
                _ => return,
            }
            if let (Some(input), Some(place)) = (self::input(), chosen.get_untracked()) {
                let _ = input.set_attribute("aria-activedescendant", &format!("q-offer-{place}"));
            }
            event.prevent_default();
        });
    });
    view! {
        <ul class="offers" id="q-list" role="listbox" aria-label="Completions" node_ref=list hidden=move || offers.with(|offers| offers.list.is_empty())>
            {move || offers.get().list.into_iter().enumerate().map(|(place, offer)| view! {
                <li role="option" id=format!("q-offer-{place}") aria-selected=move || (chosen.get() == Some(place)).to_string()
                    on:mousedown=move |event| { event.prevent_default(); take(place); }>
                    <code>{offer.value}</code><small class="muted">{offer.words}</small></li>
            }).collect_view()}
        </ul>
    }
}

fn input() -> Option<HtmlInputElement> {
    leptos::web_sys::window()?.document()?.get_element_by_id("q")?.dyn_into().ok()
}

/// Where the cursor is, in characters: the browser counts UTF-16.
fn cursor(input: &HtmlInputElement) -> usize {
    let text = input.value();
    let units = input.selection_start().ok().flatten().unwrap_or(u32::MAX) as usize;
    let mut seen = 0;
    text.chars()
        .take_while(|letter| {
            seen += letter.len_utf16();
            seen <= units
        })
        .count()
}

fn read(json: &serde_json::Value) -> Offers {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or_default() as usize;
    let list = json["offers"].as_array().map(Vec::as_slice).unwrap_or_default();
    Offers {
        start: number(&json["start"]),
        end: number(&json["end"]),
        list: list.iter().map(|offer| Offer { value: text(&offer["value"]), words: text(&offer["words"]) }).collect(),
    }
}
