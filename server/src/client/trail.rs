//! `countersign trail …`
use super::{
    Client, Failure, Server,
    table::{table, time},
};
use crate::{
    command::say,
    http::api::{EventPage, EventQuery, Export, ExportBegun, ExportRequest},
};
use clap::{Args, Subcommand};
use std::{path::PathBuf, process::ExitCode, time::Duration};

#[derive(Args)]
pub struct Trail {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Events that fit a query, the newest first. A query that begins with - stands behind --
    Search {
        /// The trail's language: project:payments outcome:refused created:7d -actor:system "free words"
        #[arg(default_value = "")]
        query: String,
        /// IANA time zone of the times in the query
        #[arg(long, value_name = "ZONE")]
        zone: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: usize,
    },
    /// Have something made of the events that fit, wait for it, and write it to a file
    Export {
        #[arg(default_value = "")]
        query: String,
        /// evidence, events, access, knowledge, requests, rotations, dormant, failed, sample or verification
        #[arg(long, default_value = "evidence", value_name = "KIND")]
        kind: String,
        /// Of a table: csv, xlsx, jsonl or pdf
        #[arg(long, value_name = "FORMAT")]
        format: Option<String>,
        #[arg(long, value_name = "ZONE")]
        zone: Option<String>,
        /// Withhold names, paths, reasons and addresses
        #[arg(long)]
        redacted: bool,
        /// Leave cells as they are, also those that a spreadsheet would compute
        #[arg(long)]
        raw: bool,
        /// Of a sample: how many events are drawn
        #[arg(long, value_name = "N", requires = "nonce")]
        sample: Option<u32>,
        /// Of a sample: the auditor's own text, which decides with the tree's root what is drawn
        #[arg(long, value_name = "TEXT", requires = "sample")]
        nonce: Option<String>,
        /// Where to write it; it must not be there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

pub async fn run(trail: Trail) -> Result<ExitCode, Failure> {
    let client = Client::new(&trail.server)?;
    match trail.verb {
        Verb::Search { query, zone, limit } => search(&client, query, zone, limit).await?,
        Verb::Export { query, kind, format, zone, redacted, raw, sample, nonce, out } => {
            let asked = ExportRequest { kind, format, q: query, zone, redacted, raw, sample, nonce };
            export(&client, asked, &out).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn search(client: &Client, q: String, zone: Option<String>, limit: usize) -> Result<(), Failure> {
    let mut items = Vec::new();
    let mut before = None;
    while items.len() < limit {
        let wanted = u32::try_from(limit - items.len()).unwrap_or(u32::MAX).min(200);
        let asked = EventQuery { q: q.clone(), zone: zone.clone(), limit: Some(wanted), before };
        let page: EventPage = client.get("/events", &asked).await?;
        items.extend(page.items);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    if client.json {
        say(serde_json::to_string_pretty(&items).unwrap_or_default());
        return Ok(());
    }
    let rows: Vec<Vec<String>> = items
        .into_iter()
        .map(|event| {
            vec![event.seq.to_string(), time(event.at), event.outcome, event.actor_name, event.words, event.about]
        })
        .collect();
    say(table(&["event", "time", "outcome", "actor", "what", "about"], &rows).trim_end());
    if let Some(before) = before {
        say(format!("… and more before event {before}"));
    }
    Ok(())
}

async fn export(client: &Client, wanted: ExportRequest, out: &std::path::Path) -> Result<(), Failure> {
    let failed = |why| Failure::TokenFile { file: out.display().to_string(), why };
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(out).map_err(failed)?;
    let written = async {
        let begun: ExportBegun = client.post("/exports", &wanted).await?;
        let nothing: [(&str, &str); 0] = [];
        let path = format!("/exports/{}", begun.export);
        let job = loop {
            let job: Export = client.get(&path, &nothing).await?;
            match job.state.as_str() {
                "waiting" | "running" => tokio::time::sleep(Duration::from_secs(1)).await,
                "done" => break job,
                _ => return Err(Failure::Refused(job.failure.unwrap_or(job.state))),
            }
        };
        let bytes = client.file(&format!("{path}/file")).await?;
        std::io::Write::write_all(&mut file, &bytes).map_err(failed)?;
        Ok(job)
    };
    match written.await {
        Ok(job) if client.json => say(serde_json::to_string_pretty(&job).unwrap_or_default()),
        Ok(job) => say(format!("{} rows, {} bytes, SHA-256 {}", job.rows, job.bytes, job.sha256.unwrap_or_default())),
        Err(why) => {
            // Nothing half-written is left behind.
            let _ = std::fs::remove_file(out);
            return Err(why);
        }
    }
    Ok(())
}
