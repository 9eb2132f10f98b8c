//! The notices of one person.
use crate::{session::Shell, time::Moment, ui};
use leptos::prelude::*;

pub struct Notice {
    pub kind: String,
    pub subject: String,
    pub told_at: Moment,
    pub unread: bool,
}

/// What a notice says, and where it leads.
fn words(kind: &str, subject: &str) -> (&'static str, String) {
    let request = format!("/requests/{subject}");
    match kind {
        "request.submitted" => ("A request waits for your decision", request),
        "request.locked" => ("A request is locked: nobody can decide it now", request),
        "grant.ends_soon" => ("Access of yours ends within the hour", request),
        "grant.ends_tomorrow" => ("Access of yours ends within a day", request),
        "grant.resumed" => ("Access of yours was confirmed and goes on", request),
        "request.narrowed" => ("Your request was narrowed: look at what is left of it", request),
        "rotation.needs_person" => ("A rotation needs you: it stopped", format!("/rotations/{subject}")),
        "rotation.waits" => ("A rotation waits for somebody to agree", format!("/rotations/{subject}")),
        "rotation.missed" => ("A scheduled rotation was missed", format!("/secrets/{subject}")),
        "secret.expires" => ("A value in use ends by its own date within two weeks", format!("/secrets/{subject}")),
        "secret.expired" => ("A value in use has ended by its own date", format!("/secrets/{subject}")),
        "report.done" => ("What you asked for is made: take it within a day", format!("/reports/{subject}")),
        "report.failed" => ("What you asked for could not be made", format!("/reports/{subject}")),
        "stream.stopped" => ("A live copy of the trail has stopped", "/log".into()),
        "signal.raised" => ("Something stands out in the trail", format!("/signals/{subject}")),
        "signal.assigned" => ("A signal was assigned to you", format!("/signals/{subject}")),
        "case.leak" => ("A leak was reported: contain it", format!("/cases/{subject}")),
        "rotation.old_alive" => {
            ("An old credential works again after it was shown dead", format!("/rotations/{subject}"))
        }
        "request.unsigned" => ("A signature on your request lost its effect: an approver’s account closed", request),
        "request.signed" => ("One seat of your request was signed", request),
        "request.approved" => ("Your request was approved: access began", request),
        "request.denied" => ("Your request was denied", request),
        "request.expired" => ("Your request expired: nobody decided", request),
        "request.voided" => ("Your request lost its effect: what you asked for changed", request),
        "grant.revoked" => ("Access of yours was revoked", request),
        "grant.ended" => ("Access of yours ended", request),
        "delegation.made" => ("You decide on requests in somebody’s place while they are away", "/account".into()),
        "delegation.ended" => ("Nobody stands in any more, earlier than planned: see your account", "/account".into()),
        "control.proposed" => ("A change of control waits for a second person", format!("/controls/{subject}")),
        "control.ended" => ("What you proposed was answered, or ended", format!("/controls/{subject}")),
        "state.tampered" => {
            ("Rows in the database contradict the trail: somebody changed them past Countersign", "/log".into())
        }
        "job.stuck" => ("A background job keeps failing on an item", "/jobs".into()),
        "control.alone" => ("Access was loosened by one person alone: nobody could second it", "/audit".into()),
        "identity.linked" => ("Another way to sign in was added to your account", "/account".into()),
        "factor.enrolled" => ("A second factor was added to your account", "/account".into()),
        "factor.recovery" => ("A recovery code of yours was used", "/account".into()),
        "factor.reset" => ("Your second factors were taken away: add new ones", "/account".into()),
        "emergency.used" => ("An emergency account signed in with a password", format!("/people/{subject}")),
        "role.assigned" => ("You were given a role", format!("/people/{subject}")),
        "role.removed" => ("A role of yours was taken away", format!("/people/{subject}")),
        _ => ("Something happened", "/".into()),
    }
}

pub fn notices(shell: &Shell, notices: Vec<Notice>) -> String {
    ui::page(shell, "Notices", None, || {
        let now = shell.now;
        let unread = notices.iter().any(|notice| notice.unread);
        let rows = notices
            .into_iter()
            .map(|notice| {
                let (words, href) = words(&notice.kind, &notice.subject);
                let state = if notice.unread { ui::badge("note", "new") } else { ui::badge("ended", "read") };
                vec![ui::link(href, words), ui::when_about(notice.told_at, now), state]
            })
            .collect::<Vec<_>>();
        let read = unread.then(|| ui::act("/notices/read", "Mark all as read", vec![]));
        view! {
            {ui::head("Notices", "What happened to your requests, your access and your account.", read)}
            {if rows.is_empty() {
                ui::empty("Nothing yet", "When something you asked for is decided, or something waits for you, it appears here.", None)
            } else {
                ui::table("Notices, newest first", &["What", "When", "State"], rows)
            }}
        }
        .into_any()
    })
}
