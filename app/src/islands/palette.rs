//! The palette: `Ctrl K` or `⌘ K`, a few words, Enter. Also `g` then a letter, and `/` for the page's search box.
use super::browser;
use crate::nav;
use leptos::{
    ev, html,
    prelude::*,
    task::spawn_local,
    wasm_bindgen::JsCast,
    web_sys::{HtmlElement, KeyboardEvent},
};
use std::cell::RefCell;

#[derive(Clone, PartialEq)]
struct Entry {
    title: String,
    place: String,
    href: String,
}

/// Which of the searches the list answers. Answers may come late or in another order than they were asked for, and Enter
/// must never open what was found for other words than those in the box: it waits for theirs.
#[derive(Clone, Copy, Default)]
struct Turn {
    asked: u32,
    answered: u32,
    enter: bool,
}

impl Turn {
    fn ask(&mut self) {
        self.asked = self.asked.wrapping_add(1);
        self.enter = false;
    }

    fn waits(self) -> bool {
        self.asked != self.answered
    }
}

const GO: [(&str, &str); 6] =
    [("h", "/"), ("i", "/inbox"), ("r", "/requests"), ("m", "/access"), ("p", "/projects"), ("a", "/audit")];

#[island]
pub fn Palette() -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let input = NodeRef::<html::Input>::new();
    let (entries, set_entries) = signal::<Vec<Entry>>(Vec::new());
    let (chosen, set_chosen) = signal(0_usize);
    let turn = RwSignal::new(Turn::default());
    let search = move |words: String| {
        turn.update(Turn::ask);
        let mine = turn.get_untracked().asked;
        spawn_local(async move {
            let found = browser::json(&format!("/go?{}", nav::form(&[("q", &words)])), None).await;
            if turn.get_untracked().asked != mine {
                return;
            }
            set_chosen.set(0);
            set_entries.set(found.map(|(_, json)| read(&json)).unwrap_or_default());
            let enter = turn.get_untracked().enter;
            turn.update(|turn| turn.answered = mine);
            if enter && let Some(first) = entries.with_untracked(|entries| entries.first().cloned()) {
                go(&first.href);
            }
        });
    };
    let open = move || {
        if let Some(dialog) = dialog.get_untracked()
            && !dialog.open()
        {
            let _ = dialog.show_modal();
            if let Some(input) = input.get_untracked() {
                input.set_value("");
            }
            search(String::new());
        }
    };
    Effect::new(move |_| {
        let before = RefCell::new(String::new());
        window_event_listener(ev::keydown, move |event| {
            let key = event.key();
            if (event.ctrl_key() || event.meta_key()) && key.eq_ignore_ascii_case("k") {
                event.prevent_default();
                return open();
            }
            if is_typing(&event) || event.ctrl_key() || event.meta_key() || event.alt_key() {
                return;
            }
            if key == "/" {
                if let Some(box_) = element("input[name=q]") {
                    event.prevent_default();
                    let _ = box_.focus();
                }
            } else if *before.borrow() == "g"
                && let Some((_, href)) = GO.iter().find(|(letter, _)| *letter == key)
            {
                go(href);
            }
            before.replace(key);
        });
    });
    let keys = move |event: KeyboardEvent| {
        let count = entries.with_untracked(Vec::len);
        match event.key().as_str() {
            "ArrowDown" if count > 0 => set_chosen.update(|chosen| *chosen = (*chosen + 1) % count),
            "ArrowUp" if count > 0 => set_chosen.update(|chosen| *chosen = (*chosen + count - 1) % count),
            "Enter" if turn.get_untracked().waits() => turn.update(|turn| turn.enter = true),
            "Enter" => {
                if let Some(entry) = entries.with_untracked(|entries| entries.get(chosen.get_untracked()).cloned()) {
                    go(&entry.href);
                }
            }
            _ => return,
        }
        event.prevent_default();
    };
    view! {
        <button class="jump" type="button" aria-haspopup="dialog" on:click=move |_| open()>
            <span class="ic find" aria-hidden="true"></span>"Search or go to " <kbd>"Ctrl K"</kbd>
        </button>
        <dialog class="palette" node_ref=dialog aria-label="Search or go to" on:close=move |_| turn.update(|turn| turn.enter = false)>
            <input class="input" node_ref=input type="text" role="combobox" aria-expanded="true" aria-controls="palette-list"
                aria-label="Search secrets, projects and pages" autocomplete="off" spellcheck="false"
                on:input=move |event| search(event_target_value(&event)) on:keydown=keys />
            <ul id="palette-list" role="listbox" aria-label="Found">
                {move || entries.get().into_iter().enumerate().map(|(n, entry)| view! {
                    <li role="option" aria-selected=move || (chosen.get() == n).to_string()>
                        <a href=entry.href tabindex="-1"><span>{entry.title}</span><small class="muted">{entry.place}</small></a>
                    </li>
                }).collect_view()}
            </ul>
            <p class="hint">"Enter opens, Esc closes. " <kbd>"g i"</kbd> " inbox, " <kbd>"g a"</kbd> " trail, " <kbd>"/"</kbd> " filter."</p>
        </dialog>
    }
}

fn read(json: &serde_json::Value) -> Vec<Entry> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let entries = json.as_array().map(Vec::as_slice).unwrap_or_default();
    entries
        .iter()
        .map(|entry| Entry { title: text(&entry["title"]), place: text(&entry["place"]), href: text(&entry["href"]) })
        .collect()
}

fn go(href: &str) {
    if let Some(window) = leptos::web_sys::window() {
        let _ = window.location().set_href(href);
    }
}

fn element(selector: &str) -> Option<HtmlElement> {
    leptos::web_sys::window()?.document()?.query_selector(selector).ok()??.dyn_into().ok()
}

fn is_typing(event: &KeyboardEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    target.is_some_and(|element| {
        ["INPUT", "TEXTAREA", "SELECT"].contains(&element.tag_name().as_str()) || element.is_content_editable()
    })
}
