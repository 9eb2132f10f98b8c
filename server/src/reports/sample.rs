//! Events drawn by lot (`app::audit::sample`): the auditor brings a nonce, the tree the root that was signed before the nonce
//! was known here; a page of evidence each.
use super::{
    Wanted,
    chunks::Chunks,
    events::{COLUMNS, called, described, next},
    pdf::Block,
    printed,
    table::Table,
    work::{Stopped, Working},
};
use crate::{
    audit::{store::Stored, tiles::Prover},
    console::Console,
};
use app::{
    audit::{
        checkpoint::Checkpoint,
        sample::{Draw, LONGEST},
        tree::{hex, unhex},
    },
    error::Error,
    reports::model::{DRAWN, Format, Kind},
};

/// How many are drawn, with which nonce; of another kind of job none.
pub fn check(wanted: &Wanted<'_>) -> Result<(i32, String), Error> {
    if wanted.kind != Kind::Sample {
        return Ok((0, String::new()));
    }
    if !(1..=DRAWN).contains(&wanted.sample) {
        return Err(Error::invalid("sample", "Draw 1 to 200 events."));
    }
    let nonce = wanted.nonce.trim();
    if nonce.is_empty() || nonce.len() > LONGEST || nonce.chars().any(char::is_control) {
        return Err(Error::invalid("nonce", "A text of the auditor’s own: one line, up to 200 bytes."));
    }
    Ok((wanted.sample as i32, nonce.to_owned()))
}

/// The newest head that is signed already.
pub fn head(console: &Console) -> Result<Checkpoint, Error> {
    let signed = console.builder.signed();
    console.builder.verifier().open(&signed.note).map_err(|_| Error::Unavailable)
}

const WON: [&str; 4] = ["rank", "ticket_sha256", "root", "tree_size"];

fn columns() -> &'static [&'static str] {
    static ALL: std::sync::OnceLock<Vec<&'static str>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| WON.into_iter().chain(COLUMNS).collect())
}

pub async fn write(working: &mut Working<'_>, format: Format, chunks: &mut Chunks<'_>) -> Result<u64, Stopped> {
    let console = working.console;
    let root_hex = working.job.root.clone();
    let root = unhex(&root_hex).ok_or_else(|| Stopped::Failed("There was no signed head to draw by.".into()))?;
    let tree = working.job.as_of as u64;
    let (size, nonce) = (usize::try_from(working.job.sample).unwrap_or_default(), working.job.nonce.clone());
    let mut draw: Draw<Stored> = Draw::new(root, nonce.clone(), size);
    let (mut fit, mut before) = (0_u64, None);
    loop {
        let page = next(working, &mut before).await?;
        for row in page.rows {
            fit += 1;
            draw.put(row.seq as u64, row);
        }
        let done = working.filter.to - page.looked_to;
        working.job.total = (working.filter.to - working.filter.from) as i64;
        working.progress(done, draw.kept() as u64, 0).await?;
        if page.complete {
            break;
        }
    }
    let (tickets, rows): (Vec<_>, Vec<_>) = draw.won().into_iter().unzip();
    let called = called(working).await?;
    let told = described(working, &called, &rows).await?;
    let count = rows.len() as u64;
    if format != Format::Pdf {
        let mut table = Table::new(format, columns(), working.job.raw)?;
        for (rank, (ticket, cells)) in tickets.iter().zip(told).enumerate() {
            let mut row = vec![(rank + 1).to_string(), hex(ticket), root_hex.clone(), tree.to_string()];
            row.extend(cells);
            table.row(row)?;
        }
        chunks.write(&table.finish(working).await?).await?;
        return Ok(count);
    }
    let mut blocks = method(&nonce, &root_hex, tree, fit, count);
    let mut prover = Prover::new(tree);
    for (rank, ((ticket, row), cells)) in tickets.iter().zip(&rows).zip(told).enumerate() {
        blocks.push(Block::Page);
        blocks.push(Block::Heading(2, format!("{} of {count}: event {}", rank + 1, row.seq)));
        let facts = COLUMNS.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
        blocks.push(Block::Facts(facts.map(|(name, cell)| (name.replace('_', " "), cell)).collect()));
        blocks.push(Block::Heading(3, "Proof".into()));
        let mut proof = vec![("ticket".to_owned(), hex(ticket)), ("tree".to_owned(), format!("{tree} events"))];
        let mut db = console.read().await?;
        for (step, hash) in prover.inclusion(&mut db, row.seq as u64).await?.iter().enumerate() {
            proof.push((format!("step {}", step + 1), hex(hash)));
        }
        proof.push(("root".into(), root_hex.clone()));
        blocks.push(Block::Facts(proof));
    }
    chunks.write(&printed::print(working, blocks).await?).await?;
    Ok(count)
}

/// How it was drawn, so that anybody can draw again.
fn method(nonce: &str, root: &str, size: u64, fit: u64, drawn: u64) -> Vec<Block> {
    vec![
        Block::Heading(2, "How it was drawn".into()),
        Block::Facts(vec![
            ("Nonce".into(), nonce.to_owned()),
            ("Root".into(), root.to_owned()),
            ("Tree".into(), format!("{size} events")),
            ("Fit the query".into(), fit.to_string()),
            ("Drawn".into(), drawn.to_string()),
        ]),
        Block::Text(
            "Each event of the tree that fits the query has a ticket: SHA-256 of the root (32 bytes), the nonce (UTF-8) and \
             the event’s number (8 bytes, big-endian), one behind the other. The events with the smallest tickets are drawn, \
             in that order. The root was signed before the nonce was sent here, so whoever keeps the log could not choose it to fit; \
             the auditor chose the nonce without choosing the root, and asks once. Whoever has the numbers of all events of the \
             tree that fit, from an evidence bundle of the same query, draws the same again."
                .into(),
        ),
        Block::Text(
            "Each page holds one event and the steps of its inclusion proof (RFC 9162, 2.1.3): from the leaf’s hash to the \
             root above."
                .into(),
        ),
    ]
}
