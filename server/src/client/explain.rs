//! `countersign explain …`
use super::{
    Client, Failure, Server,
    table::{table, time},
};
use crate::{
    command::say,
    http::api::{
        AccessQuery, DecidingRule, ExplainQuery, ExplainedAccess, ExplainedEvent, SecretAccess, Somebody, WhomToAsk,
    },
};
use clap::{Args, Subcommand};
use std::{fmt::Write, process::ExitCode};

#[derive(Args)]
pub struct Explain {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// May somebody take, write or ask for a secret, why, and whom to ask. Exit code 0: they can take the value; 2: they cannot
    Access {
        /// project/environment/path, or the secret's id
        secret: String,
        /// A sign-in name, a workload's short name, or an id; the token's owner without it
        #[arg(long, value_name = "NAME")]
        who: Option<String>,
        /// Also print the rules
        #[arg(long)]
        rules: bool,
    },
    /// Who can take a secret now, or could on a past date, and who knows it
    Readers {
        /// project/environment/path, or the secret's id
        secret: String,
        /// A day, asked at its end, or a moment in UTC: 2026-11-24, 2026-11-24T09:30
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// Why an event of the trail was decided as it was
    Event {
        /// The event's number
        seq: u64,
    },
}

pub async fn run(explain: Explain) -> Result<ExitCode, Failure> {
    let client = Client::new(&explain.server)?;
    match explain.verb {
        Verb::Access { secret, who, rules } => {
            let found: ExplainedAccess = client.get("/explain", &ExplainQuery { secret, who }).await?;
            say(if client.json { json(&found) } else { access(&found, rules) });
            let takes = ["secret.revealed", "secret.copied", "secret.fetched"];
            let open = |verdict: &str| ["yes", "with_factor"].contains(&verdict);
            let can = found.account.is_none()
                && found.acts.iter().any(|act| takes.contains(&act.action.as_str()) && open(&act.verdict));
            return Ok(if can { ExitCode::SUCCESS } else { ExitCode::from(2) });
        }
        Verb::Readers { secret, at } => {
            let found: SecretAccess = client.get("/access", &AccessQuery { secret, at }).await?;
            say(if client.json { json(&found) } else { readers(&found) });
        }
        Verb::Event { seq } => {
            let found: ExplainedEvent = client.get(&format!("/events/{seq}/why"), &()).await?;
            say(if client.json { json(&found) } else { event(&found) });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn json(found: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(found).unwrap_or_default()
}

fn names(people: &[Somebody]) -> String {
    people.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn named(rule: &Option<DecidingRule>) -> String {
    rule.as_ref().map_or_else(|| "-".into(), |rule| format!("{}:{}", rule.id, rule.line))
}

fn help(ask: &WhomToAsk) -> String {
    format!("{} {}", ask.words, names(&ask.people)).trim().to_owned()
}

fn access(found: &ExplainedAccess, rules: bool) -> String {
    let mut text = format!("{} ({}) and {}\n", found.who.name, found.kind, found.secret.name);
    if let Some(why) = &found.account {
        let _ = writeln!(text, "{why}");
    }
    let rows: Vec<_> = found
        .acts
        .iter()
        .map(|act| {
            let needs: Vec<String> = act.needs.iter().map(|way| way.join(" and ")).collect();
            vec![act.words.clone(), act.verdict.clone(), named(&act.rule), needs.join(", or ")]
        })
        .collect();
    text += &table(&["act", "may they", "rule:line", "it would take"], &rows);
    for ask in found.acts.iter().filter_map(|act| act.ask.as_ref()).map(help).collect::<std::collections::BTreeSet<_>>()
    {
        let _ = writeln!(text, "{ask}");
    }
    if !found.grants.is_empty() {
        let rows: Vec<_> = found
            .grants
            .iter()
            .map(|grant| {
                let by = names(&grant.approved_by);
                let by = if by.is_empty() { "rule".into() } else { by };
                vec![grant.right.clone(), grant.state.clone(), time(grant.until), by, grant.request.clone()]
            })
            .collect();
        text += &table(&["grant", "state", "until", "approved by", "request"], &rows);
    }
    for route in &found.through_workloads {
        let _ = writeln!(text, "through workload {} until {}", route.workload.name, time(route.until));
    }
    for known in &found.knows {
        let _ = writeln!(text, "knows v{} ({}) since {}", known.version, known.how, time(known.since));
    }
    if rules {
        for rule in found.acts.iter().filter_map(|act| act.rule.as_ref()) {
            let _ = writeln!(text, "\n{}", rule.text);
        }
    }
    text.trim_end().to_owned()
}

fn readers(found: &SecretAccess) -> String {
    let mut text = format!("{} as of {}\n", found.secret.name, time(found.at));
    let rows: Vec<_> = found
        .readers
        .iter()
        .map(|reader| {
            let by = names(&reader.grant.approved_by);
            vec![
                reader.who.name.clone(),
                reader.kind.clone(),
                reader.grant.right.clone(),
                reader.verdict.clone(),
                if by.is_empty() { "rule".into() } else { by },
                time(reader.grant.until),
            ]
        })
        .collect();
    text += &if rows.is_empty() {
        "nobody: there is no grant on it\n".to_owned()
    } else {
        table(&["who", "kind", "right", "may they", "approved by", "until"], &rows)
    };
    for one in &found.knowers {
        let _ = writeln!(
            text,
            "{} knows v{} ({}) since {}",
            one.who.name,
            one.known.version,
            one.known.how,
            time(one.known.since)
        );
    }
    text.trim_end().to_owned()
}

fn event(found: &ExplainedEvent) -> String {
    let outcome = if found.allowed { "allowed" } else { "refused" };
    let mut text = format!("{}  {}  {outcome}\n", time(found.at), found.action);
    if let Some(why) = &found.why {
        let _ = writeln!(text, "{why}");
    }
    let _ = writeln!(text, "rule {} version {}", found.rule_id, found.version);
    if let Some(rule) = &found.rule {
        let _ = writeln!(text, "{}\n", rule.text);
    }
    for (word, what) in found.facts.iter().flatten() {
        let _ = writeln!(text, "{word}: {what}");
    }
    if let Some(today) = &found.today {
        let _ = writeln!(text, "today: {today} by {}", named(&found.today_rule));
    }
    if let Some(ask) = &found.ask {
        let _ = writeln!(text, "{}", help(ask));
    }
    text.trim_end().to_owned()
}
