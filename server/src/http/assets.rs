//! What a browser loads: embedded in the binary, compressed beforehand, kept by browsers for a year under hashed names.
use app::session::Assets;
use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../target/site"]
struct Files;

/// The names that this build's pages link to.
pub fn asset_names() -> Assets {
    let manifest =
        Files::get("manifest.txt").map(|file| String::from_utf8_lossy(&file.data).into_owned()).unwrap_or_default();
    let name = |key: &str| {
        let line = manifest.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().to_owned()
    };
    Assets {
        boot: name("boot"),
        script: name("script"),
        wasm: name("wasm"),
        styles: name("style"),
        check: name("check"),
        passkey: name("passkey"),
    }
}

/// How many bytes an embedded file has.
pub fn asset_length(name: &str) -> Option<usize> {
    Files::get(name).map(|file| file.data.len())
}

pub async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let kind = match name.rsplit_once('.').map(|(_, kind)| kind) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let accepts =
        |coding: &str| accepted.split(',').any(|item| item.split(';').next().is_some_and(|name| name.trim() == coding));
    for (coding, suffix) in [("br", ".br"), ("gzip", ".gz"), ("", "")] {
        if !coding.is_empty() && !accepts(coding) {
            continue;
        }
        let Some(file) = Files::get(&format!("{name}{suffix}")) else { continue };
        let mut response = file.data.into_owned().into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if !coding.is_empty() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        return response;
    }
    StatusCode::NOT_FOUND.into_response()
}
