//! The few things of a browser that islands need.
use leptos::{wasm_bindgen::JsCast, web_sys::window};
use wasm_bindgen_futures::JsFuture;
use web_sys::{HtmlFormElement, Request, RequestInit, Response};

/// Puts a text on the clipboard. False where the browser refuses.
pub async fn copy(text: &str) -> bool {
    let Some(window) = window() else { return false };
    JsFuture::from(window.navigator().clipboard().write_text(text)).await.is_ok()
}

/// Sends the page's form for taking a value to an address, as a browser without islands would.
pub fn send_form(url: &str) {
    let form = window().and_then(|window| window.document()?.query_selector("form.take").ok()?);
    if let Some(form) = form.and_then(|form| form.dyn_into::<HtmlFormElement>().ok()) {
        form.set_action(url);
        let _ = form.submit();
    }
}

/// Asks this server for JSON: with a body as a form's `POST`, without one as a `GET`.
pub async fn json(url: &str, body: Option<&str>) -> Option<(u16, serde_json::Value)> {
    let options = RequestInit::new();
    options.set_method(if body.is_some() { "POST" } else { "GET" });
    if let Some(body) = body {
        options.set_body(&body.into());
    }
    let request = Request::new_with_str_and_init(url, &options).ok()?;
    request.headers().set("accept", "application/json").ok()?;
    if body.is_some() {
        request.headers().set("content-type", "application/x-www-form-urlencoded").ok()?;
    }
    let response: Response = JsFuture::from(window()?.fetch_with_request(&request)).await.ok()?.dyn_into().ok()?;
    let text = JsFuture::from(response.text().ok()?).await.ok()?.as_string()?;
    Some((response.status(), serde_json::from_str(&text).ok()?))
}
