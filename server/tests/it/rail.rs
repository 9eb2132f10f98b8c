//! The rail and the palette: who is offered which pages.
use crate::{
    http::{Browser, site},
    story,
};
use axum::http::StatusCode;

/// The addresses in the rail of a page.
fn offered(page: &str) -> Vec<String> {
    let rail = page.split("<div class=\"nav\">").nth(1).unwrap().split("<div class=\"rail-foot\">").next().unwrap();
    rail.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

story!(the_palette_knows_every_page_of_the_rail_and_each_opens, |world| {
    let (cast, router) = site(world).await;
    for login in ["anna", "mara", "samir", "iris", "jonas"] {
        let mut browser = Browser::signed_in(&cast, &router, login).await;
        let rail = offered(&browser.get("/").await.text);
        assert!(rail.len() >= 10, "{login}: {rail:?}");
        let palette = browser.get("/go?q=").await.text;
        for href in rail {
            assert!(palette.contains(&format!("\"href\":\"{href}\"")), "{login}: {href} in {palette}");
            assert_eq!(browser.get(&href).await.status, StatusCode::OK, "{login}: {href}");
        }
    }
    // What only some may see is offered to them alone.
    let rail = offered(&Browser::signed_in(&cast, &router, "jonas").await.get("/").await.text);
    for href in ["/jobs", "/controls", "/providers", "/audit", "/dashboard"] {
        assert!(!rail.iter().any(|offered| offered == href), "{href}");
    }
    let rail = offered(&Browser::signed_in(&cast, &router, "anna").await.get("/").await.text);
    assert!(rail.iter().any(|offered| offered == "/jobs") && rail.iter().any(|offered| offered == "/providers"));
});
