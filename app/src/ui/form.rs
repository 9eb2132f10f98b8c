//! Forms that lose nothing: what was typed and what is wrong with it travel together.
use crate::error::FieldError;
use leptos::prelude::*;

/// What somebody typed, and each mistake at its field. Secret fields are never in it.
#[derive(Clone, Debug, Default)]
pub struct Form {
    pub values: Vec<(String, String)>,
    pub errors: Vec<FieldError>,
}

impl Form {
    pub fn value(&self, name: &str) -> String {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    pub fn error(&self, name: &str) -> Option<String> {
        self.errors.iter().find(|error| error.field == name).map(|error| error.message.clone())
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values.push((name.into(), value.into()));
        self
    }
}

/// A label, its control, a hint, and the mistake.
pub fn field(form: &Form, name: &'static str, label: &'static str, hint: &'static str, control: AnyView) -> AnyView {
    let error = form.error(name);
    view! {
        <div class="field">
            <label for=name>{label}</label>
            {control}
            {(!hint.is_empty()).then(|| view! { <p class="hint" id=format!("{name}-hint")>{hint}</p> })}
            {error.map(|error| view! { <p class="wrong" id=format!("{name}-wrong") role="alert">{error}</p> })}
        </div>
    }
    .into_any()
}

/// A one-line field. `kind` is the input's type.
pub fn input(form: &Form, name: &'static str, label: &'static str, kind: &'static str, hint: &'static str) -> AnyView {
    let invalid = form.error(name).map(|_| "true");
    let described = described(form, name, hint);
    let complete = match (kind, name) {
        ("password", "password") => "current-password",
        ("password", _) => "new-password",
        (_, "login") => "username",
        _ => "off",
    };
    let control = view! {
        <input class="input" id=name name=name type=kind value=form.value(name) autocomplete=complete
            aria-invalid=invalid aria-describedby=described />
    };
    field(form, name, label, hint, control.into_any())
}

/// A text as the child of a `<textarea>`, where leptos writes what it is given as it is. Every text goes through here. A line feed
/// comes first because parsers leave the first one out (HTML, 13.2.6.4.7).
pub fn typed(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 1);
    escaped.push('\n');
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

pub fn text_area(form: &Form, name: &'static str, label: &'static str, hint: &'static str) -> AnyView {
    let invalid = form.error(name).map(|_| "true");
    let described = described(form, name, hint);
    let control = view! {
        <textarea class="input" id=name name=name rows="3" aria-invalid=invalid aria-describedby=described>{typed(&form.value(name))}</textarea>
    };
    field(form, name, label, hint, control.into_any())
}

/// A choice of one: `(value, words)`.
pub fn pick(
    form: &Form,
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    choices: Vec<(String, String)>,
) -> AnyView {
    let chosen = form.value(name);
    let described = described(form, name, hint);
    let choices = choices
        .into_iter()
        .map(|(value, words)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{words}</option> }
        })
        .collect_view();
    let control = view! {
        <span class="pick"><select class="select" id=name name=name aria-describedby=described>{choices}</select></span>
    };
    field(form, name, label, hint, control.into_any())
}

fn described(form: &Form, name: &str, hint: &str) -> Option<String> {
    let mut ids = Vec::new();
    if !hint.is_empty() {
        ids.push(format!("{name}-hint"));
    }
    if form.error(name).is_some() {
        ids.push(format!("{name}-wrong"));
    }
    (!ids.is_empty()).then(|| ids.join(" "))
}
