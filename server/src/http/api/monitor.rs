//! The health of this installation for a monitor.
use super::{bearer::Program, reference::Refused};
use crate::{
    audit::{self, event::Event, projection},
    http::Problem,
    jobs,
    metrics::{self, Rollup},
    policies::Situation,
    rotations,
    signals::{self, store::Narrow},
};
use app::{
    audit::action::Action,
    rotations::model::Step,
    signals::model::{Detector, State as Stands},
};
use axum::{
    http::header,
    response::{IntoResponse, Response},
};

/// Open signals that are counted.
const MOST_SIGNALS: u32 = 10_000;

/// What Prometheus scrapes (text exposition format 0.0.4).
#[utoipa::path(
    get, path = "/metrics", tag = "Figures", operation_id = "monitor", security(("personal" = ["metrics:read"])),
    responses(
        (status = 200, body = String, content_type = "text/plain"), (status = 401, response = Refused),
        (status = 403, response = Refused),
    )
)]
pub async fn prometheus(program: Program) -> Result<Response, Problem> {
    let console = program.console();
    if let Some(why) = console.would(&program.caller.unlimited(), Action::ReadTrail, None, Situation::default()) {
        let refused = console.ledger.refuse(&program.caller.who, Event::new(Action::ReadTrail), why).await;
        return Err(refused.into());
    }
    projection::catch_up(console, &Rollup).await?;
    signals::refresh(console).await?;
    let mut db = console.read().await?;
    let size = audit::store::size(&mut db).await?;
    let open = rotations::store::open(&mut db, 100_000, console.seal_key()).await?;
    let counts = metrics::store::sums(&mut db, 0, i64::MAX).await?;
    let copies = audit::store::streams(&mut db).await?;
    let aside = jobs::store::count(&mut db).await?;
    let narrow = Narrow { state: Some(Stands::Open), ..Narrow::default() };
    let waiting = signals::store::list(&mut db, &narrow, console.now(), MOST_SIGNALS).await?;
    drop(db);
    let stopped = open.iter().filter(|row| row.step() == Step::NeedsPerson).count();
    let built = console.builder.signed();
    let flag = |yes: bool| u8::from(yes);
    let mut text = String::new();
    let mut gauge = |name: &str, kind: &str, help: &str, value: String| {
        text.push_str(&format!("# HELP countersign_{name} {help}\n# TYPE countersign_{name} {kind}\n"));
        text.push_str(&value);
    };
    let one = |name: &str, value: u64| format!("countersign_{name} {value}\n");
    gauge("ledger_events_total", "counter", "Events in the trail.", one("ledger_events_total", size));
    gauge(
        "state_wrong_rows",
        "gauge",
        "Rows that open access and contradict the trail, as of the last comparison.",
        one("state_wrong_rows", console.found.borrow().checked.count()),
    );
    gauge(
        "ledger_signed_events",
        "gauge",
        "Events below the newest signed head.",
        one("ledger_signed_events", built.size),
    );
    gauge(
        "ledger_forked",
        "gauge",
        "1 where the stored events contradict what was signed.",
        one("ledger_forked", flag(built.forked).into()),
    );
    gauge(
        "space_short",
        "gauge",
        "1 where nothing is opened for lack of space.",
        one("space_short", flag(console.space.is_short(console.now())).into()),
    );
    gauge("rotations_open", "gauge", "Rotations under way.", one("rotations_open", open.len() as u64));
    gauge("rotations_stopped", "gauge", "Rotations that need a person.", one("rotations_stopped", stopped as u64));
    let lines: String = Detector::ALL
        .iter()
        .map(|detector| {
            let count = waiting.iter().filter(|signal| signal.detector == detector.code()).count();
            format!("countersign_signals_open{{detector=\"{}\"}} {count}\n", detector.code())
        })
        .collect();
    gauge("signals_open", "gauge", "Signals that are open, assigned or not, up to 10,000.", lines);
    let label = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let lag: String = copies
        .iter()
        .map(|copy| {
            let behind = size.saturating_sub(copy.seq as u64);
            format!("countersign_audit_stream_lag_events{{copy=\"{}\"}} {behind}\n", label(&copy.name))
        })
        .collect();
    gauge("audit_stream_lag_events", "gauge", "Events that a live copy of the trail is behind.", lag);
    let lines: String = jobs::all()
        .map(|job| {
            let failing = flag(console.board.of(job.name).failure.is_some());
            format!("countersign_job_failing{{job=\"{}\"}} {failing}\n", job.name)
        })
        .collect();
    gauge("job_failing", "gauge", "1 where the last run of a job of this replica failed.", lines);
    let lines: String = jobs::all()
        .map(|job| {
            let count = aside.iter().find(|(name, _)| name == job.name).map_or(0, |(_, count)| *count);
            format!("countersign_job_items_set_aside{{job=\"{}\"}} {count}\n", job.name)
        })
        .collect();
    gauge("job_items_set_aside", "gauge", "Items that a job cannot work on now: tried again later.", lines);
    let mut series: std::collections::BTreeMap<(String, String), i64> = Default::default();
    for row in counts {
        *series.entry((row.series, row.label)).or_default() += row.value;
    }
    // Labels are codes of ours: letters, dots and underscores.
    let lines: String = series
        .into_iter()
        .map(|((series, label), value)| {
            format!("countersign_events_counted_total{{series=\"{series}\",label=\"{label}\"}} {value}\n")
        })
        .collect();
    gauge(
        "events_counted_total",
        "counter",
        "Values taken by workloads and people, and failed attempts by reason, as far as they were counted.",
        lines,
    );
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
