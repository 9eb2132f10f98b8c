//! `countersign witness URL`: on a host of somebody else, checks that the log of a running console only grows, cosigns each head
//! that it has seen, and raises an alarm when the log forks or falls silent (C2SP tlog-witness, by the console's API).
use super::{Client, Failure, Server};
use crate::{
    clock::Clock,
    command::say,
    http::api::{Between, ConsistencyProof, Cosignature, Heard, LogHead},
    keys,
    outbound::{self, Reach},
};
use app::audit::{
    checkpoint::{Checkpoint, Cosigner, VerifierKey},
    tree::{Hash, verify_consistency},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

/// The log forked, or was cut off: what this witness has seen is not the beginning of what it is shown.
const FORKED: u8 = 2;
/// It was not heard of for longer than it should.
const SILENT: u8 = 3;

#[derive(Args)]
pub struct Witness {
    #[command(flatten)]
    server: Server,
    /// Folder for this witness's key and the head that it has seen; made at the first run
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// What this witness is called: a name that is its own, like a host's and a word behind it
    #[arg(long, value_name = "NAME", default_value = "witness.invalid/countersign")]
    name: String,
    /// The log's verifier key, as somebody you trust gave it to you; without it the first one seen is believed from then on
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Look once and end. Exit code 0: it continues what was seen; 2: it forked or was cut off; 3: it could not be asked
    #[arg(long)]
    once: bool,
    /// Seconds between two looks
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    every: u64,
    /// Seconds without a new answer after which it is called silent
    #[arg(long, default_value_t = 900, value_name = "SECONDS")]
    silence: u64,
    /// An address that is told of a fork or a silence, by a POST of JSON
    #[arg(long, value_name = "URL")]
    alarm: Option<String>,
    /// Print this witness's verifier key and end: the console is started with it as --witness
    #[arg(long)]
    print_key: bool,
}

/// What one look came to.
enum Seen {
    /// The head was seen before, or continues it.
    Continues(u64),
    /// Evidence of a fork, in words.
    Forked(String),
    /// It could not be asked.
    Silent(Failure),
}

pub async fn run(witness: Witness) -> Result<ExitCode, Failure> {
    let state = State::open(&witness)?;
    if witness.print_key {
        say(state.cosigner.verifier());
        return Ok(ExitCode::SUCCESS);
    }
    let client = Client::new(&witness.server)?;
    let (mut heard, mut told, mut largest) = (Instant::now(), false, 0);
    loop {
        let seen = look(&client, &witness, &state).await;
        match &seen {
            Seen::Continues(size) => {
                // An old head said again is no news: a log that lives grows at least by its heartbeat.
                if *size > largest {
                    (heard, told, largest) = (Instant::now(), false, *size);
                }
                say(format!("{size} events, continues what was seen"));
                let silent = heard.elapsed() > Duration::from_secs(witness.silence);
                if silent && !told {
                    told = true;
                    say("SILENT");
                    alarm(&witness, "silent", "it has shown nothing new").await;
                }
            }
            Seen::Forked(why) => {
                say(format!("FORKED: {why}"));
                alarm(&witness, "forked", why).await;
                return Ok(ExitCode::from(FORKED));
            }
            Seen::Silent(why) => {
                say(format!("no answer: {why}"));
                let silent = heard.elapsed() > Duration::from_secs(witness.silence);
                if silent && !told {
                    told = true;
                    say("SILENT");
                    alarm(&witness, "silent", &why.to_string()).await;
                }
            }
        }
        if witness.once {
            return Ok(ExitCode::from(if matches!(seen, Seen::Silent(_)) { SILENT } else { 0 }));
        }
        tokio::time::sleep(Duration::from_secs(witness.every)).await;
    }
}

async fn look(client: &Client, witness: &Witness, state: &State) -> Seen {
    let nothing: [(&str, &str); 0] = [];
    let shown: LogHead = match client.get("/log/checkpoint", &nothing).await {
        Ok(shown) => shown,
        Err(why) => return Seen::Silent(why),
    };
    let key = match state.log_key(witness, &shown.key) {
        Ok(key) => key,
        Err(why) => return Seen::Forked(why),
    };
    let Ok(head) = key.open(&shown.checkpoint) else {
        state.fork(&shown.checkpoint);
        return Seen::Forked("its head is not signed by the key that this witness knows".into());
    };
    let seen = match state.seen(&key) {
        Ok(seen) => seen,
        Err(why) => return Seen::Forked(why),
    };
    if let Some(seen) = seen {
        if head.size < seen.size {
            state.fork(&shown.checkpoint);
            return Seen::Forked(format!("it shows {} events, this witness has seen {}", head.size, seen.size));
        }
        let between = Between { from: seen.size, to: head.size };
        let told: ConsistencyProof = match client.get("/log/consistency", &between).await {
            Ok(told) => told,
            Err(why) => return Seen::Silent(why),
        };
        let proof: Option<Vec<Hash>> =
            told.proof.iter().map(|hash| STANDARD.decode(hash).ok()?.try_into().ok()).collect();
        let continues =
            proof.is_some_and(|proof| verify_consistency(seen.size, &seen.root, head.size, &head.root, &proof));
        if !continues {
            return Seen::Forked(format!(
                "its tree of {} events does not begin with the {} that this witness has seen; both heads are in {}",
                head.size,
                seen.size,
                state.fork(&shown.checkpoint).display()
            ));
        }
    }
    // What was seen is durable before anybody is told of it: a witness never cosigns two histories.
    if let Err(why) = state.keep(&shown.checkpoint) {
        return Seen::Silent(Failure::TokenFile { file: state.folder.display().to_string(), why });
    }
    let time = u64::try_from(Clock::Machine.now().timestamp()).unwrap_or_default();
    let line = state.cosigner.cosign(&head, time);
    let left: Result<Heard, Failure> = client.post("/log/cosignatures", &Cosignature { size: head.size, line }).await;
    if let Err(why) = left {
        say(format!("the cosignature was not taken: {why}"));
    }
    Seen::Continues(head.size)
}

async fn alarm(witness: &Witness, what: &str, why: &str) {
    let Some(url) = &witness.alarm else { return };
    let body = serde_json::json!({ "witness": witness.name, "what": what, "why": why }).to_string();
    let headers = [("content-type", "application/json".to_owned())];
    if let Err(error) = outbound::post(&Reach::Anywhere, url, &headers, body.into_bytes()).await {
        say(format!("the alarm was not taken: {error}"));
    }
}

/// A witness's own memory: its key, the log's key, the newest head.
struct State {
    folder: PathBuf,
    cosigner: Cosigner,
}

impl State {
    fn open(witness: &Witness) -> Result<Self, Failure> {
        let folder = witness.state.clone();
        let failed = |why| Failure::TokenFile { file: folder.display().to_string(), why };
        fs::create_dir_all(&folder).map_err(failed)?;
        let path = folder.join("witness.key");
        let seed: [u8; 32] = match fs::read(&path) {
            Ok(bytes) => bytes.try_into().map_err(|_| failed(std::io::Error::other("witness.key is not 32 bytes")))?,
            Err(_) => {
                let seed = keys::random::<32>().map_err(|_| failed(std::io::Error::other("no random numbers")))?;
                keys::write_private(&path, &seed).map_err(failed)?;
                seed
            }
        };
        let cosigner = Cosigner::new(witness.name.clone(), &seed);
        Ok(Self { folder, cosigner })
    }

    /// The log's key: as given, else the one that was seen first.
    fn log_key(&self, witness: &Witness, shown: &str) -> Result<VerifierKey, String> {
        let path = witness.key.clone().unwrap_or_else(|| self.folder.join("log.key"));
        let known = match fs::read_to_string(&path) {
            Ok(known) => known,
            Err(_) if witness.key.is_none() => {
                fs::write(&path, shown).map_err(|error| format!("{}: {error}", path.display()))?;
                shown.to_owned()
            }
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        VerifierKey::parse(&known).ok_or_else(|| format!("{}: not a verifier key", path.display()))
    }

    fn head(&self) -> PathBuf {
        self.folder.join("checkpoint")
    }

    /// The head that was seen last, of this epoch or one before; nothing at the first look alone. What is there and cannot be
    /// read is never taken for nothing.
    fn seen(&self, key: &VerifierKey) -> Result<Option<Checkpoint>, String> {
        let note = match fs::read_to_string(self.head()) {
            Ok(note) => note,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{}: {error}", self.head().display())),
        };
        let opened = (0..=key.epoch()).rev().find_map(|epoch| key.of_epoch(epoch).open(&note).ok());
        let unknown = "the head that this witness has seen is not signed by the key that it is given";
        opened.map(Some).ok_or_else(|| unknown.to_owned())
    }

    fn keep(&self, note: &str) -> std::io::Result<()> {
        let temporary = self.folder.join(".checkpoint");
        fs::write(&temporary, note)?;
        fs::File::open(&temporary)?.sync_all()?;
        fs::rename(&temporary, self.head())?;
        fs::File::open(&self.folder)?.sync_all()
    }

    /// Keeps the head that contradicts: both together are the proof.
    fn fork(&self, note: &str) -> &Path {
        let _ = fs::write(self.folder.join("checkpoint.forked"), note);
        &self.folder
    }
}
