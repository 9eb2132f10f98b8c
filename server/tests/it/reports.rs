//! Exports, bundles and verifications: what is made, who gets it, what stops it; a bundle checked three ways.
use crate::{
    cast::Cast,
    http::{Browser, site},
    story,
};
use app::{
    audit::{
        action::Action,
        evidence::{Finding, unpack, verify},
        query::Query,
    },
    error::{Conflict, Error, Refusal},
    policies::model::{Class, Right, Tier},
    reports::model::{Format, Kind, State},
};
use chrono::TimeDelta;
use server::{
    audit::{
        event::{Event, Who},
        store::Narrow,
    },
    people::Caller,
    reports::{self, Download, Wanted, store::Job},
    vault::Take,
};
use std::process::Command;

fn wanted(kind: Kind, query: &str) -> Wanted<'_> {
    Wanted { kind, format: Format::Csv, query, zone: "UTC", redacted: false, raw: false, sample: 0, nonce: "" }
}

async fn ask(cast: &Cast, caller: &Caller, wanted: Wanted<'_>) -> String {
    reports::start_export(&cast.console, caller, wanted).await.unwrap().0
}

async fn job(cast: &Cast, id: &str) -> Job {
    reports::store::find(&mut cast.console.db().unseen().read().await.unwrap(), id).await.unwrap().unwrap()
}

/// Asks, has it made, takes it.
async fn made(cast: &Cast, login: &str, wanted: Wanted<'_>) -> Vec<u8> {
    let caller = cast.caller(login).await;
    let id = ask(cast, &caller, wanted).await;
    while reports::run_due(&cast.console).await.unwrap() > 0 {}
    let job = job(cast, &id).await;
    assert_eq!(job.state(cast.console.now()), State::Done, "{:?}", job.failure);
    let bytes = Download::begin(&cast.console, &caller, &id).await.unwrap().whole().await.unwrap();
    assert_eq!(bytes.len() as i64, job.bytes_written);
    bytes
}

/// The same bundle, by the independent script.
fn by_python(cast: &Cast, bundle: &[u8], key: &str) -> bool {
    let file = cast.world.folder.path().join("bundle.zip");
    std::fs::write(&file, bundle).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/evidence.py");
    let ran = Command::new("python3").arg(script).arg(&file).arg(key).output().unwrap();
    ran.status.success()
}

/// And by the command line.
fn by_command(cast: &Cast, bundle: &[u8], key: &str) -> Option<i32> {
    let (file, key_file) = (cast.world.folder.path().join("bundle.zip"), cast.world.folder.path().join("key"));
    std::fs::write(&file, bundle).unwrap();
    std::fs::write(&key_file, key).unwrap();
    Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["evidence", "verify"])
        .arg(&file)
        .arg("--key")
        .arg(&key_file)
        .output()
        .unwrap()
        .status
        .code()
}

async fn busy(cast: &Cast) -> String {
    cast.console.builder.build().await.unwrap();
    let secret = cast
        .filled(
            "=cmd|'/C calc'!A0".replace(['=', '|', '\'', '/', '!', ' '], "-").as_str(),
            Tier::Staging,
            Class::Normal,
        )
        .await;
    for _ in 0..3 {
        assert!(cast.take("jonas", &secret, Take::Reveal).await.is_err());
        cast.world.clock.advance(TimeDelta::minutes(2));
    }
    cast.granted("jonas", &secret, 60).await;
    cast.take("jonas", &secret, Take::Reveal).await.unwrap();
    cast.console.builder.build().await.unwrap();
    cast.ask("ewa", &secret, Right::Read, 30).await.unwrap();
    secret
}

story!(a_bundle_holds_three_ways_and_no_bit_of_it_may_change, |world| {
    let cast = Cast::new(world).await;
    let secret = busy(&cast).await;
    let query = format!("secret:{secret}");
    let bundle = made(&cast, "samir", wanted(Kind::Evidence, &query)).await;
    let key = cast.console.builder.verifier();
    let verdict = verify(&bundle, Some(&key));
    assert_eq!(verdict.findings, vec![]);
    assert!(verdict.events > 4 && verdict.disclosed > 2 && verdict.withheld == 0 && verdict.records > 0);
    assert!(verdict.continues.is_some(), "it continues an older head");
    assert!(by_python(&cast, &bundle, &key.to_string()), "an independent program agrees");
    assert_eq!(by_command(&cast, &bundle, &key.to_string()), Some(0));
    // What nobody may see is in no file of it.
    for (name, bytes) in unpack(&bundle).unwrap() {
        assert!(!String::from_utf8_lossy(bytes).contains(crate::cast::CANARY), "{name}");
    }
    // Bits all over it, by all three.
    for (n, at) in (0..bundle.len()).step_by(bundle.len() / 25).enumerate() {
        let mut bent = bundle.clone();
        bent[at] ^= 1 << (n % 8);
        assert!(!verify(&bent, Some(&key)).holds(), "byte {at}");
        if n % 8 == 0 {
            assert_eq!(by_command(&cast, &bent, &key.to_string()), Some(2));
        }
    }
    let files = unpack(&bundle).unwrap();
    let events = files.iter().find(|(name, _)| name == "events.jsonl").unwrap().1;
    let inside = bundle.windows(events.len()).position(|part| part == events).unwrap();
    let mut bent = bundle.clone();
    bent[inside + events.len() / 2] ^= 1;
    assert!(!by_python(&cast, &bent, &key.to_string()), "and by the independent program");
    let other = app::audit::checkpoint::LogKey::new(key.name().into(), &[1; 32]).verifier();
    assert_eq!(verify(&bundle, Some(&other)).findings, [Finding::OtherKey]);
    assert!(!by_python(&cast, &bundle, &other.to_string()));
});

story!(redacted_bundles_withhold_and_ranges_are_complete, |world| {
    let cast = Cast::new(world).await;
    busy(&cast).await;
    let key = cast.console.builder.verifier();
    let all = made(&cast, "samir", Wanted { redacted: true, ..wanted(Kind::Evidence, "") }).await;
    let verdict = verify(&all, Some(&key));
    assert_eq!((verdict.findings.len(), verdict.disclosed), (0, 0));
    assert!(verdict.withheld > 20);
    assert!(by_python(&cast, &all, &key.to_string()));
    for (name, bytes) in unpack(&all).unwrap() {
        let text = String::from_utf8_lossy(bytes);
        for hidden in ["Jonas", "TICKET-1", "cmd--C"] {
            assert!(!text.contains(hidden), "{hidden} in {name}");
        }
    }
    let range = made(&cast, "samir", wanted(Kind::Evidence, "event:3..20")).await;
    let verdict = verify(&range, Some(&key));
    assert!(verdict.holds() && verdict.complete && verdict.events == 18, "{:?}", verdict.findings);
    // A lead gets of the project alone: the range is not complete, and the bundle does not say it is.
    let led = made(&cast, "iris", wanted(Kind::Evidence, "project:payments event:3..20")).await;
    assert!(!verify(&led, Some(&key)).complete);
    let nothing = made(&cast, "samir", wanted(Kind::Evidence, "created:..2020-01-01")).await;
    let verdict = verify(&nothing, Some(&key));
    assert_eq!((verdict.holds(), verdict.events), (true, 0), "{:?}", verdict.findings);
});

story!(tables_are_what_the_page_shows, |world| {
    let cast = Cast::new(world).await;
    busy(&cast).await;
    let query = "actor:jonas";
    let csv = String::from_utf8(made(&cast, "samir", wanted(Kind::Events, query)).await).unwrap();
    let lines =
        String::from_utf8(made(&cast, "samir", Wanted { format: Format::Lines, ..wanted(Kind::Events, query) }).await)
            .unwrap();
    let sheet = made(&cast, "samir", Wanted { format: Format::Xlsx, ..wanted(Kind::Events, query) }).await;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), lines.lines().count());
    assert!(rows.len() >= 5 && rows.iter().all(|row| &row[5] == "Jonas Engineer"));
    // What a spreadsheet would compute is text; raw leaves it as it is.
    let guarded = rows.iter().find(|row| row[13].contains("cmd")).unwrap();
    assert!(guarded[13].starts_with("'-cmd"), "{:?}", &guarded[13]);
    let raw = made(&cast, "samir", Wanted { raw: true, ..wanted(Kind::Events, query) }).await;
    assert!(String::from_utf8(raw).unwrap().contains(",-cmd"));
    assert!(lines.contains("\"subject\":\"-cmd"), "data stays data");
    assert_eq!(&sheet[..2], b"PK");
    let zoned = made(&cast, "samir", Wanted { zone: "Asia/Tokyo", ..wanted(Kind::Events, query) }).await;
    assert!(String::from_utf8(zoned).unwrap().contains("+09:00"));
    let hidden = made(&cast, "samir", Wanted { redacted: true, ..wanted(Kind::Events, query) }).await;
    let hidden = String::from_utf8(hidden).unwrap();
    assert!(!hidden.contains("Jonas") && !hidden.contains("cmd"), "withheld");
    // The page counts the same.
    let reading = server::audit::search::Reading::All;
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let caller = cast.caller("samir").await;
    let parsed = Query::parse(query).unwrap();
    let filter =
        server::audit::search::resolve(&cast.console, &mut db, &caller, &reading, &parsed, chrono_tz::Tz::UTC).await;
    let page = filter.unwrap().page(&mut db, None, 1_000).await.unwrap();
    assert_eq!(page.rows.len(), rows.len());
    drop(db);
    // Each is recorded: asked, made, taken.
    let mut db = cast.console.db().unseen().read().await.unwrap();
    for (action, count) in [("export.started", 6), ("export.finished", 6), ("export.downloaded", 6)] {
        let narrow = Narrow { action: Some(action.into()), ..Narrow::default() };
        assert_eq!(server::audit::store::list(&mut db, &narrow, None, 50).await.unwrap().len(), count, "{action}");
    }
});

story!(only_whoever_asked_gets_it_and_only_for_a_day, |world| {
    let cast = Cast::new(world).await;
    busy(&cast).await;
    let (samir, mara, jonas) = (cast.caller("samir").await, cast.caller("mara").await, cast.caller("jonas").await);
    let refused = reports::start_export(&cast.console, &jonas, wanted(Kind::Events, "")).await;
    assert_eq!(refused.err(), Some(Error::Refused(Refusal::NoRule)), "a member exports nothing");
    let iris = cast.caller("iris").await;
    let whole = reports::start_export(&cast.console, &iris, wanted(Kind::Verification, "")).await;
    assert_eq!(whole.err(), Some(Error::Refused(Refusal::NoRule)), "a lead does not verify all of it");
    for (query, zone, field) in [("acter:x", "UTC", "q"), ("project:none", "UTC", "q"), ("", "Mars/Base", "zone")] {
        let wrong = reports::start_export(&cast.console, &samir, Wanted { zone, ..wanted(Kind::Events, query) }).await;
        assert!(matches!(wrong, Err(Error::Invalid(fields)) if fields[0].field == field), "{query}");
    }
    let id = ask(&cast, &samir, wanted(Kind::Events, "")).await;
    let early = Download::begin(&cast.console, &samir, &id).await;
    assert_eq!(early.err(), Some(Error::Conflict(Conflict::AlreadyDone)), "not made yet");
    for stranger in [&mara, &jonas] {
        assert_eq!(reports::own_job(&cast.console, stranger, &id).await.err(), Some(Error::NotFound));
        assert_eq!(reports::cancel_export(&cast.console, stranger, &id).await.err(), Some(Error::NotFound));
    }
    // Two replicas at once make it once.
    let (one, other) = crate::support::together(reports::run_due(&cast.console), reports::run_due(&cast.console)).await;
    assert!(one.unwrap() + other.unwrap() >= 1);
    assert!(Download::begin(&cast.console, &mara, &id).await.err() == Some(Error::NotFound));
    assert!(Download::begin(&cast.console, &samir, &id).await.is_ok());
    // Whoever may no longer read the trail gets nothing of it.
    let anna = cast.caller("anna").await;
    for role in samir.roles.clone() {
        server::people::remove_role(&cast.console, &anna, &role.id).await.unwrap();
    }
    let gone = Download::begin(&cast.console, &cast.caller("samir").await, &id).await;
    assert_eq!(gone.err(), Some(Error::Refused(Refusal::NoRule)));
    let second = ask(&cast, &mara, wanted(Kind::Events, "")).await;
    reports::run_due(&cast.console).await.unwrap();
    cast.world.clock.advance(TimeDelta::hours(25));
    assert_eq!(job(&cast, &second).await.state(cast.console.now()), State::Gone);
    assert!(Download::begin(&cast.console, &mara, &second).await.is_err());
    reports::forget_over(&cast.console).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    assert!(reports::store::chunk(&mut db, &second, 0).await.unwrap().is_none(), "and it is not kept");
});

story!(what_is_cancelled_half_way_is_not_kept, |world| {
    let cast = Cast::new(world).await;
    // COUNTERSIGN_EXPORT_EVENTS=1000000 for as many as a year of a busy pipeline.
    let events: i64 = std::env::var("COUNTERSIGN_EXPORT_EVENTS").map_or(6_000, |text| text.parse().unwrap());
    let mut waits = tokio::task::JoinSet::new();
    for _ in 0..events {
        let ledger = cast.console.ledger.clone();
        waits.spawn(async move { ledger.observe(&Who::system("noise"), Event::new(Action::Heartbeat)).await });
    }
    while waits.join_next().await.is_some() {}
    let mara = cast.caller("mara").await;
    let id = ask(&cast, &mara, wanted(Kind::Events, "")).await;
    let (console, working) = (cast.console.clone(), cast.console.clone());
    let made = tokio::spawn(async move { reports::run_due(&working).await });
    loop {
        let row = job(&cast, &id).await;
        if row.rows_written >= events / 2 || row.ended_at.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let cancelled = reports::cancel_export(&console, &mara, &id).await;
    made.await.unwrap().unwrap();
    let row = job(&cast, &id).await;
    match cancelled {
        Ok(_) => assert_eq!((row.state(cast.console.now()), row.digest), (State::Cancelled, None)),
        Err(error) => assert_eq!(error, Error::Conflict(Conflict::AlreadyDone), "it was faster"),
    }
    assert_eq!(reports::cancel_export(&console, &mara, &id).await.err(), Some(Error::Conflict(Conflict::AlreadyDone)));
    // Five may wait, a sixth is refused at its field.
    for _ in 0..5 {
        ask(&cast, &mara, wanted(Kind::Events, "")).await;
    }
    let sixth = reports::start_export(&cast.console, &mara, wanted(Kind::Events, "")).await;
    assert!(matches!(sixth, Err(Error::Invalid(fields)) if fields[0].field == "kind"));
});

story!(the_trail_is_verified_as_a_job, |world| {
    let cast = Cast::new(world).await;
    busy(&cast).await;
    let told = String::from_utf8(made(&cast, "mara", wanted(Kind::Verification, "")).await).unwrap();
    assert!(told.contains("whole: every event is the one that was signed"), "{told}");
    cast.world.without_triggers().await;
    cast.world.as_database_owner(&["UPDATE audit_events SET action = 'secret.copied' WHERE seq = 5"]).await;
    let told = String::from_utf8(made(&cast, "mara", wanted(Kind::Verification, "")).await).unwrap();
    assert!(told.contains("TAMPERED: event 5: column action") && !told.contains("whole:"), "{told}");
});

story!(exports_are_asked_for_and_taken_in_a_browser, |world| {
    let (cast, router) = site(world).await;
    busy(&cast).await;
    let mut samir = Browser::signed_in(&cast, &router, "samir").await;
    let form = samir.get("/reports?q=actor%3Ajonas&zone=UTC").await;
    assert!(form.text.contains("value=\"actor:jonas\""));
    let wrong = samir.post("/reports", &[("q", "acter:x"), ("zone", "UTC"), ("kind", "evidence")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("Did you mean actor?") && wrong.text.contains("value=\"acter:x\""), "nothing is lost");
    let asked = samir.post("/reports", &[("q", "actor:jonas"), ("zone", "UTC"), ("kind", "evidence")]).await;
    assert_eq!(asked.status, 303);
    let at = asked.headers["location"].to_str().unwrap().to_owned();
    assert!(samir.get(&at).await.text.contains("You may leave"));
    assert_eq!(samir.get(&format!("{at}/file")).await.status, 409);
    reports::run_due(&cast.console).await.unwrap();
    let page = samir.get(&at).await;
    assert!(page.text.contains("Take the ZIP file"), "{}", page.text);
    let file = samir.get(&format!("{at}/file")).await;
    assert_eq!(file.status, 200);
    assert!(file.headers["content-disposition"].to_str().unwrap().contains(".zip"));
    let manifest = samir.get(&format!("{at}/manifest")).await;
    let key = cast.console.builder.verifier();
    let text = format!("{}\n", manifest.text.split("\n\n").next().unwrap());
    assert_eq!(key.open_text(&text, &manifest.text), Ok(()), "signed by the log's key");
    assert!(text.contains("query actor:jonas\n"));
    let mut mara = Browser::signed_in(&cast, &router, "mara").await;
    for address in [at.clone(), format!("{at}/file"), format!("{at}/manifest")] {
        assert_eq!(mara.get(&address).await.status, 404, "{address}");
    }
});

story!(reports_say_who_could_what_at_any_time, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("db/one", Tier::Staging, Class::Normal).await;
    let before = cast.console.now();
    cast.world.clock.advance(TimeDelta::hours(1));
    let grant = cast.granted("jonas", &secret, 60 * 24 * 2).await;
    cast.world.clock.advance(TimeDelta::hours(1));
    cast.take("jonas", &secret, Take::Reveal).await.unwrap();
    let during = cast.console.now();
    cast.world.clock.advance(TimeDelta::hours(1));
    server::grants::revoke_grant(&cast.console, &cast.caller("teodor").await, &grant).await.unwrap();
    cast.world.clock.advance(TimeDelta::hours(1));
    let at = |moment: app::time::Moment| format!("created:..{}", moment.format("%Y-%m-%dT%H:%M:%SZ"));
    let rows = async |kind: Kind, query: &str, redacted: bool| {
        let bytes = made(&cast, "samir", Wanted { redacted, ..wanted(kind, query) }).await;
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let heads = reader.headers().unwrap().clone();
        let rows: Vec<Vec<(String, String)>> = reader
            .records()
            .map(|row| heads.iter().map(Into::into).zip(row.unwrap().iter().map(Into::into)).collect())
            .collect();
        rows
    };
    let cell = |row: &[(String, String)], name: &str| {
        row.iter().find(|(head, _)| head == name).map(|(_, value)| value.clone()).unwrap()
    };
    assert_eq!(rows(Kind::Access, &at(before), false).await.len(), 0, "before the grant");
    let held = rows(Kind::Access, &at(during), false).await;
    assert_eq!(held.len(), 1);
    assert_eq!(
        ["holder", "right", "path", "route", "approved_by"].map(|name| cell(&held[0], name)),
        ["Jonas Engineer", "read", "db/one", "approved request", "Teodor Lead"]
    );
    assert_eq!(rows(Kind::Access, "", false).await.len(), 0, "it was revoked");
    let redacted = rows(Kind::Access, &at(during), true).await;
    assert!(!format!("{redacted:?}").contains("Jonas") && !format!("{redacted:?}").contains("db/one"));
    // Whoever saw it knows it, also after the grant.
    let known = rows(Kind::Knowledge, "project:payments", false).await;
    let people: Vec<String> = known.iter().map(|row| cell(row, "person")).collect();
    assert_eq!(people, ["Iris Lead", "Jonas Engineer"]);
    let asked = rows(Kind::Requests, "created:7d", false).await;
    assert!(asked.iter().any(|row| cell(row, "outcome") == "approved" && cell(row, "decided_by").contains("Teodor")));
    // As of before it was decided, it was not: nobody had said anything.
    let request = asked.iter().find(|row| cell(row, "outcome") == "approved").map(|row| cell(row, "request")).unwrap();
    let pending = cast.ask("lucia", &secret, Right::Read, 60).await.unwrap();
    let submitted = cast.console.now();
    cast.world.clock.advance(TimeDelta::hours(1));
    cast.approve("teodor", &pending).await.unwrap();
    let then = rows(Kind::Requests, &at(submitted + TimeDelta::minutes(1)), false).await;
    let row = |id: &str| then.iter().find(|row| cell(row, "request") == id).unwrap();
    assert_eq!(cell(row(&request), "outcome"), "approved");
    for name in ["ended_at", "outcome", "lead_minutes", "decided_by", "grant"] {
        assert_eq!(cell(row(&pending), name), "", "{name}");
    }
    let now = rows(Kind::Requests, "", false).await;
    assert!(now.iter().any(|row| cell(row, "request") == pending && cell(row, "lead_minutes") == "60"));
    // A grant that nobody used for a month, and one that somebody did.
    let worker = crate::workloads::machine(&cast, "worker", Tier::Staging).await;
    let request = crate::workloads::allow(&cast, &worker, &secret, 60 * 24 * 100).await;
    cast.approve("teodor", &request).await.unwrap();
    cast.world.clock.advance(TimeDelta::days(20));
    let bearer = crate::workloads::token(&cast, &worker).await.unwrap();
    crate::workloads::fetch(&cast, &bearer, "staging", "db/one").await.unwrap();
    cast.world.clock.advance(TimeDelta::days(20));
    assert_eq!(rows(Kind::Dormant, "", false).await.len(), 0, "used twenty days ago");
    cast.world.clock.advance(TimeDelta::days(20));
    let dormant = rows(Kind::Dormant, "", false).await;
    assert_eq!(dormant.len(), 1);
    assert_eq!(cell(&dormant[0], "holder"), "worker");
    assert!(!cell(&dormant[0], "last_used").is_empty() && cell(&dormant[0], "last_used") != "never");
    // What was refused, and nothing that succeeded, whatever narrows it.
    let lucia = cast.caller("lucia").await;
    assert!(matches!(
        reports::start_export(&cast.console, &lucia, wanted(Kind::Failed, "")).await,
        Err(Error::Refused(_))
    ));
    let failed = rows(Kind::Failed, "actor:lucia", false).await;
    assert!(!failed.is_empty());
    for row in &failed {
        assert_eq!((cell(row, "outcome").as_str(), cell(row, "actor").as_str()), ("refused", "Lucia Engineer"));
        assert!(!cell(row, "reason").is_empty());
    }
    let all = rows(Kind::Events, "outcome:refused", false).await;
    assert_eq!(rows(Kind::Failed, "", false).await.len(), all.len());
    // Only what these reports understand narrows them.
    let samir = cast.caller("samir").await;
    for query in ["actor:jonas", "-project:payments", "words"] {
        let wrong = reports::start_export(&cast.console, &samir, wanted(Kind::Access, query)).await;
        assert!(matches!(wrong, Err(Error::Invalid(fields)) if fields[0].field == "q"), "{query}");
    }
    for query in ["outcome:allowed", "-outcome:refused", "outcome:refused outcome:allowed"] {
        let wrong = reports::start_export(&cast.console, &samir, wanted(Kind::Failed, query)).await;
        assert!(matches!(wrong, Err(Error::Invalid(fields)) if fields[0].field == "q"), "{query}");
    }
    // Rotations as cases, in every form.
    for format in [Format::Csv, Format::Xlsx, Format::Lines] {
        made(&cast, "samir", Wanted { format, ..wanted(Kind::Rotations, "") }).await;
    }
});

story!(a_sample_is_drawn_by_lot_and_drawn_again_by_others, |world| {
    let cast = Cast::new(world).await;
    busy(&cast).await;
    let query = "outcome:allowed";
    let drawn = |sample: u32, nonce: &'static str| Wanted { sample, nonce, ..wanted(Kind::Sample, query) };
    let lines = made(&cast, "samir", Wanted { format: Format::Lines, ..drawn(5, "K7 and the moon") }).await;
    let rows: Vec<serde_json::Value> =
        String::from_utf8(lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<u64> = rows.iter().map(|row| row["event"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers.len(), 5);
    // From a bundle of the same query, by a script that shares no code, of the events of that tree: the bundle knows later ones too.
    let population = made(&cast, "samir", wanted(Kind::Evidence, query)).await;
    let file = cast.world.folder.path().join("population.zip");
    std::fs::write(&file, &population).unwrap();
    let root = rows[0]["root"].as_str().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/evidence.py");
    let ran = Command::new("python3")
        .arg(script)
        .arg("--draw")
        .arg(&file)
        .args([root, "K7 and the moon", "5", rows[0]["tree_size"].as_str().unwrap()])
        .output()
        .unwrap();
    let told = String::from_utf8(ran.stdout).unwrap();
    let again: Vec<u64> = told.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(again, numbers);
    // Another nonce draws others; all of a few are all.
    let other = made(&cast, "samir", Wanted { format: Format::Lines, ..drawn(5, "K8") }).await;
    let other: Vec<serde_json::Value> =
        String::from_utf8(other).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_ne!(other, rows);
    let pages = made(&cast, "samir", Wanted { format: Format::Pdf, ..drawn(3, "K7 and the moon") }).await;
    let text = String::from_utf8_lossy(&pages);
    assert!(
        text.starts_with("%PDF") && text.matches("/StructParents").count() >= 4,
        "what was asked, and a page for each"
    );
    // What is no draw is refused at its field.
    let samir = cast.caller("samir").await;
    for (sample, nonce, field) in
        [(0, "x", "sample"), (201, "x", "sample"), (5, " ", "nonce"), (5, "two\nlines", "nonce")]
    {
        let wanted = Wanted { sample, nonce, ..wanted(Kind::Sample, query) };
        let wrong = reports::start_export(&cast.console, &samir, wanted).await;
        assert!(matches!(wrong, Err(Error::Invalid(fields)) if fields[0].field == field), "{sample} {nonce}");
    }
});

story!(every_report_is_a_document_for_people, |world| {
    let cast = Cast::new(world).await;
    busy(&cast).await;
    for kind in Kind::ASKED.into_iter().filter(|kind| kind.fixed().is_none() && *kind != Kind::Sample) {
        for redacted in [false, true] {
            let bytes = made(&cast, "samir", Wanted { format: Format::Pdf, redacted, ..wanted(kind, "") }).await;
            // The validator found nothing against PDF/UA-1, or there would be no file.
            assert!(bytes.starts_with(b"%PDF-1.7"), "{kind:?}");
            let text = String::from_utf8_lossy(&bytes);
            assert!(text.contains("/StructTreeRoot") && text.contains("/Outlines"), "{kind:?}");
        }
    }
});

story!(the_page_shows_the_rows_of_the_file, |world| {
    let (cast, router) = site(world).await;
    busy(&cast).await;
    let samir = cast.caller("samir").await;
    for format in [Format::Csv, Format::Lines] {
        let id = ask(&cast, &samir, Wanted { format, ..wanted(Kind::Events, "") }).await;
        while reports::run_due(&cast.console).await.unwrap() > 0 {}
        let download = Download::begin(&cast.console, &samir, &id).await.unwrap();
        let all = reports::shown::rows(download, 0, 10_000).await.unwrap();
        let download = Download::begin(&cast.console, &samir, &id).await.unwrap();
        let some = reports::shown::rows(download, 3, 4).await.unwrap();
        assert_eq!(some.rows, all.rows[3..7]);
        assert!(some.more && !all.more);
        assert_eq!(all.rows.len() as i64, job(&cast, &id).await.rows_written, "every row of the file, once");
        let mut browser = Browser::signed_in(&cast, &router, "samir").await;
        let page = browser.get(&format!("/reports/{id}/rows")).await;
        assert_eq!(page.status, 200);
        for cell in all.rows[0].iter().filter(|cell| !cell.is_empty() && !cell.contains(['&', '\'', '"', '<'])) {
            assert!(page.text.contains(cell.as_str()), "{cell}");
        }
        assert_eq!(browser.get(&format!("/reports/{id}/rows?from=999999")).await.status, 200, "there are none");
        let mut other = Browser::signed_in(&cast, &router, "mara").await;
        assert_eq!(other.get(&format!("/reports/{id}/rows")).await.status, 404);
    }
    let id = ask(&cast, &samir, Wanted { format: Format::Xlsx, ..wanted(Kind::Events, "") }).await;
    while reports::run_due(&cast.console).await.unwrap() > 0 {}
    let mut browser = Browser::signed_in(&cast, &router, "samir").await;
    assert_eq!(browser.get(&format!("/reports/{id}/rows")).await.status, 404);
});

story!(where_there_is_no_room_nothing_is_made_and_later_it_is, |world| {
    if world.url.is_some() {
        return;
    }
    let cast = Cast::new(world).await;
    busy(&cast).await;
    let mara = cast.caller("mara").await;
    // What is left of the disk is for acts that close.
    let id = ask(&cast, &mara, wanted(Kind::Events, "")).await;
    cast.console.space.reserve(u64::MAX);
    reports::run_due(&cast.console).await.unwrap();
    let row = job(&cast, &id).await;
    assert_eq!(row.state(cast.console.now()), State::Failed);
    assert!(row.failure.unwrap().contains("Space runs low"));
    assert!(matches!(Download::begin(&cast.console, &mara, &id).await, Err(Error::Conflict(_))));
    cast.console.space.reserve(0);
    // A database that takes nothing more: the job ends with a reason, or waits; nothing half made is handed out.
    let id = ask(&cast, &mara, wanted(Kind::Events, "")).await;
    let filler = cast.secret("filler", Tier::Staging, Class::Normal).await;
    cast.console.db().limit_pages(true).await.unwrap();
    for version in 0..400 {
        if cast.write("iris", &filler, version, &"x".repeat(60_000)).await.is_err() {
            break;
        }
    }
    drop(reports::run_due(&cast.console).await);
    let row = job(&cast, &id).await;
    assert!(row.digest.is_none(), "{row:?}");
    cast.console.db().limit_pages(false).await.unwrap();
    cast.world.clock.advance(TimeDelta::minutes(5));
    while reports::run_due(&cast.console).await.unwrap() > 0 {}
    let state = job(&cast, &id).await.state(cast.console.now());
    assert!([State::Done, State::Failed].contains(&state), "{state:?}");
    assert!(!made(&cast, "mara", wanted(Kind::Events, "")).await.is_empty());
});
