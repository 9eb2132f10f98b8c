//! The command line: `countersign --help`.
use crate::{
    audit::{event::Who, state, stream, verify},
    client::{self, explain::Explain, rotations::Rotations, trail::Trail, witness::Witness},
    clock::Clock,
    config::{Config, Settings},
    console::Console,
    demo,
    http::{
        Site,
        connections::{self, Limited},
        router,
    },
    instance::{self, Instance},
    jobs, people,
};
use app::audit::{checkpoint::VerifierKey, evidence};
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use clap::{Args, Parser, Subcommand};
use hyper_util::rt::TokioTimer;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A web console for governing secrets: ask, approve, use, revoke, and prove it.
#[derive(Parser)]
#[command(name = "countersign", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make keys, database and ledger. Nothing that exists is replaced
    Init(Settings),
    /// Serve the console
    Serve(Settings),
    /// Serve a populated demonstration on 127.0.0.1, made anew in a folder of its own
    Demo(Demo),
    /// Rotations, through the API of a running console
    Rotations(Rotations),
    /// The trail of a running console, through its API: search it, have something made of it
    Trail(Trail),
    /// Why somebody may or may not, who can read a secret, why an event was decided so: through the API of a running console
    Explain(Explain),
    /// Watch another host's log: that it only grows, and does not fall silent
    Witness(Witness),
    /// The trail: verify it, print its newest checkpoint or its key
    #[command(subcommand)]
    Audit(Audit),
    /// Evidence bundles: check one on any host, without a server
    #[command(subcommand)]
    Evidence(Evidence),
    /// Administrators, from this host
    #[command(subcommand)]
    Admin(Admin),
    /// Resume after an older state of the database was restored: records for ever what was lost
    Recover {
        #[command(flatten)]
        settings: Settings,
        /// Say that the loss is known and accepted
        #[arg(long, required = true)]
        accept_rollback: bool,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the version
    Version,
    /// Measure what the README quotes; `cargo xtask bench` runs it
    #[command(hide = true)]
    Bench,
}

#[derive(Args)]
struct Demo {
    /// Folder to make the demonstration in; it must not exist, or be an earlier demonstration's
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address to listen on; loopback only
    #[arg(long, default_value = "127.0.0.1:8400", value_name = "ADDR")]
    listen: SocketAddr,
    /// Make it, say how long that took, and stop
    #[arg(long)]
    seed_only: bool,
}

#[derive(Subcommand)]
enum Audit {
    /// Check the whole trail against its signed checkpoints. Exit code 0: whole; 2: tampered with; 3: whole but for what a
    /// recorded restore lost
    Verify {
        #[command(flatten)]
        settings: Settings,
        /// A checkpoint that was kept elsewhere
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        /// Also compare every searched column and disclosed field with its leaf
        #[arg(long)]
        deep: bool,
        /// Also check the seal of every row that opens access, and compare it with its event
        #[arg(long)]
        state: bool,
    },
    /// Print the newest signed checkpoint
    Checkpoint(Settings),
    /// Print the key that verifies checkpoints (C2SP signed-note verifier key)
    Key(Settings),
}

#[derive(Subcommand)]
enum Evidence {
    /// Check a bundle. Exit code 0: it holds; 2: something was changed, left out or put in; 1: it could not be read
    Verify {
        /// The bundle
        file: PathBuf,
        /// The log's verifier key, as `countersign audit key` prints it and somebody you trust gave you. Without it only that
        /// the bundle fits together is checked
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum Admin {
    /// Print a link by which a person sets a new password, and take their second factors away; the server must be stopped
    Reset {
        #[command(flatten)]
        settings: Settings,
        /// The person's sign-in name
        login: String,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Read the settings and say what they come to, without starting anything
    Check(Settings),
}

/// Runs one command. Output is the command's result; logs go to the standard error stream as JSON.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter =
        tracing_subscriber::EnvFilter::try_from_env("COUNTERSIGN_LOG").unwrap_or_else(|_| "info,sqlx=warn".into());
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(run(cli.command)) {
        Ok(code) => code,
        Err(error) => match error.downcast_ref::<instance::Error>() {
            Some(known) => {
                fail(error.as_ref());
                ExitCode::from(known.exit_code())
            }
            None => fail(error.as_ref()),
        },
    }
}

#[allow(clippy::print_stderr, reason = "the command's own last word")]
fn fail(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    eprintln!("countersign: {error}");
    ExitCode::FAILURE
}

#[allow(clippy::print_stdout, reason = "the command's result")]
pub(crate) fn say(text: impl std::fmt::Display) {
    println!("{text}");
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Version => say(concat!("countersign ", env!("CARGO_PKG_VERSION"))),
        Command::Init(settings) => {
            let config = settings.resolve()?;
            instance::init(&config, Clock::Machine, false).await?;
            say(format!("Made. Keys are in {}: back them up apart from the data.", config.keys.display()));
        }
        Command::Serve(settings) => serve(settings.resolve()?, "Countersign", false).await?,
        Command::Demo(demo) => return run_demo(demo).await,
        Command::Rotations(rotations) => {
            let _ = rustls::crypto::ring::default_provider().install_default();
            return Ok(client::rotations::run(rotations).await?);
        }
        Command::Trail(trail) => {
            let _ = rustls::crypto::ring::default_provider().install_default();
            return Ok(client::trail::run(trail).await?);
        }
        Command::Explain(explain) => {
            let _ = rustls::crypto::ring::default_provider().install_default();
            return Ok(client::explain::run(explain).await?);
        }
        Command::Witness(witness) => {
            let _ = rustls::crypto::ring::default_provider().install_default();
            return Ok(client::witness::run(witness).await?);
        }
        Command::Audit(audit) => return run_audit(audit).await,
        Command::Evidence(Evidence::Verify { file, key, json }) => return check_evidence(&file, key.as_deref(), json),
        Command::Recover { settings, reason, .. } => {
            let found = instance::recover(&settings.resolve()?, Clock::Machine, &reason).await?;
            say(format!("Recorded: {found}"));
        }
        Command::Admin(Admin::Reset { settings, login }) => reset(settings.resolve()?, &login).await?,
        Command::Config(ConfigCommand::Check(settings)) => {
            let config = settings.resolve()?;
            say(format!("data      {}", config.data.display()));
            say(format!("keys      {}", config.keys.display()));
            say(format!("listen    {}", config.listen));
            say(format!("base URL  {}", config.base_url));
            say(format!(
                "database  {}",
                if config.database.is_some() { "PostgreSQL" } else { "SQLite in the data folder" }
            ));
            say(format!("TLS       {}", if config.tls.is_some() { "yes" } else { "no" }));
            say(format!("anchors   {}", config.anchors.len()));
            say(format!("witnesses {}", config.witnesses.len()));
            say(format!("copies    {}", config.streams.len()));
        }
        Command::Bench => crate::bench::run().await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Serves until a signal asks it to stop.
async fn serve(config: Config, organisation: &str, demo: bool) -> Result<(), Failure> {
    let instance = Instance::open(&config, Clock::Machine).await?;
    if instance.demo != demo {
        let why = if demo {
            "this is no demonstration's data"
        } else {
            "this is a demonstration's data: it is served by `countersign demo`"
        };
        return Err(why.into());
    }
    if let Some(skew) = instance.db.time().await?.map(|theirs| Clock::Machine.now() - theirs)
        && skew.abs() > jobs::SKEW
    {
        let seconds = skew.num_seconds();
        return Err(format!(
            "this machine's clock is {} s {} the database's: set it right first, or replicas disagree on what has ended",
            seconds.abs(),
            if seconds > 0 { "ahead of" } else { "behind" }
        )
        .into());
    }
    let console = Console::new(&instance, organisation)?;
    tracing::info!("reading the trail");
    // Before anybody is answered: rows count for what the trail says of them.
    state::follow(&console, &mut *console.trail.lock().await).await?;
    jobs::started(&console).await?;
    let running = jobs::start(&console);
    stream::start(&console, config.streams.clone());
    let is_private = config.listen.ip().is_loopback() || config.tls.is_some();
    // Where people are missing whom the trail names, nobody is invited in their place.
    let empty = people::is_empty(&console, &mut console.read().await?).await;
    if empty.unwrap_or(false) {
        invite_administrator(&console, &config)?;
    }
    if config.anchors.is_empty() {
        tracing::warn!("no --anchor: the trail's checkpoints lie only beside the trail itself");
    }
    let site = Site::new(console.clone(), &config.base_url, config.trusted_proxy, is_private);
    let service = router(site).into_make_service_with_connect_info::<SocketAddr>();
    let handle = axum_server::Handle::new();
    tokio::spawn(stop_on_signal(handle.clone()));
    let (listening, base_url) = (handle.clone(), config.base_url.clone());
    tokio::spawn(async move {
        if listening.listening().await.is_some() {
            say(format!("Countersign listens on {base_url}"));
        }
    });
    let limited = Limited::new(connections::raise_descriptors(), config.trusted_proxy);
    let mut server = axum_server::bind(config.listen).handle(handle).first_request_timeout(connections::PATIENCE);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(connections::PATIENCE);
    match &config.tls {
        Some((cert, key)) => {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let tls = RustlsConfig::from_pem_file(cert, key).await?;
            server.acceptor(RustlsAcceptor::new(tls).acceptor(limited)).serve(service).await?;
        }
        None => server.acceptor(limited).serve(service).await?,
    }
    running.stop().await;
    jobs::stopped(&console).await;
    console.db().close().await;
    Ok(())
}

/// Says how to make the first administrator: the code is shown on a terminal alone, else written to a private file.
fn invite_administrator(console: &Console, config: &Config) -> Result<(), Failure> {
    let code = console.set_up.open(console.now()).map_err(|_| "no random numbers")?;
    let address = format!("{}/set-up", config.base_url);
    if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        say(format!(
            "\nNobody can sign in yet. Make the first administrator within half an hour:\n  open  {address}\n  code  {}\n",
            *code
        ));
        return Ok(());
    }
    let path = config.data.join("set-up-code");
    console.set_up.write_to(&code, &path)?;
    say(format!("Nobody can sign in yet. Open {address} within half an hour; the code is in {}", path.display()));
    Ok(())
}

async fn stop_on_signal(handle: axum_server::Handle<SocketAddr>) {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        if let Ok(mut terminate) = terminate {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return handle.graceful_shutdown(Some(Duration::from_secs(10)));
        }
    }
    let _ = interrupt.await;
    handle.graceful_shutdown(Some(Duration::from_secs(10)));
}

async fn run_demo(demo: Demo) -> Result<ExitCode, Failure> {
    if !demo.listen.ip().is_loopback() {
        return Err("a demonstration listens on loopback addresses only".into());
    }
    let data = demo.data.unwrap_or_else(|| PathBuf::from("countersign-data-demo"));
    let settings = Settings { data: Some(data.clone()), listen: Some(demo.listen), ..Settings::default() };
    // What it rotates against listens on this host.
    let settings = Settings { allow_private: vec!["127.0.0.1/32".into()], ..settings };
    let config = settings.resolve()?;
    demo::clear(&config)?;
    let started = tokio::time::Instant::now();
    say("Making the demonstration: half a year of Meridian Freight …");
    instance::init(&config, demo::start(), true).await?;
    let made = demo::make(&config).await?;
    tracing::info!(address = made.receiver.url(), "the demonstration's receiver listens");
    say(format!("Made {} events in {:.1} s.", made.events, started.elapsed().as_secs_f64()));
    if demo.seed_only {
        return Ok(ExitCode::SUCCESS);
    }
    say(format!("\nOpen {} and sign in with one click as:", config.base_url));
    for (login, words) in demo::PERSONAS {
        say(format!("  {login:<16} {words}"));
    }
    say(format!(
        "Verify the trail while it runs:\n  countersign audit verify --deep --state --data {}\n",
        data.display()
    ));
    serve(config, demo::ORGANISATION, true).await?;
    Ok(ExitCode::SUCCESS)
}

async fn run_audit(audit: Audit) -> Result<ExitCode, Failure> {
    match audit {
        Audit::Key(settings) => {
            let config = settings.resolve()?;
            let db = instance::connect(&config).await?;
            let (key, _) = instance::verifier(&config, &db).await?;
            say(key);
        }
        Audit::Checkpoint(settings) => {
            let config = settings.resolve()?;
            let db = instance::connect(&config).await?;
            let newest = crate::audit::builder::latest(&mut db.read().await?).await;
            match newest.map_err(|_| "the database does not answer")? {
                Some((_, note)) => say(note.trim_end()),
                None => return Err("no checkpoint was signed yet: start the server once".into()),
            }
        }
        Audit::Verify { settings, checkpoint, deep, state } => {
            let config = settings.resolve()?;
            let db = instance::connect(&config).await?;
            let (key, demo) = instance::verifier(&config, &db).await?;
            let kept = checkpoint.map(std::fs::read_to_string).transpose()?;
            let started = tokio::time::Instant::now();
            let keys = instance::keys(&config, &db).await?;
            let heads: Vec<String> = config.heads().notes().into_iter().map(|(_, note)| note).collect();
            let seal = Some(&keys.event_seal);
            let options = verify::Options { checkpoint: kept.as_deref(), deep, seal, heads: &heads };
            let report = verify::run(&db, &key, options, demo).await?;
            let seconds = started.elapsed().as_secs_f64();
            report.lines().into_iter().for_each(say);
            say(format!("{seconds:.2} s"));
            let mut tampered = !report.is_clean();
            if state {
                let checked = crate::audit::state::run(&config, &db).await?;
                say(format!("{} rows that open access were compared with their events", checked.rows));
                tampered |= !checked.wrong.is_empty();
                checked.wrong.iter().for_each(|line| say(format!("TAMPERED: {line}")));
            }
            if tampered {
                return Ok(ExitCode::from(2));
            }
            if !report.verified.lost.is_empty() {
                return Ok(ExitCode::from(3));
            }
            say(verify::WHOLE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The rules of `app/src/audit/evidence`, on a file.
fn check_evidence(file: &Path, key: Option<&Path>, json: bool) -> Result<ExitCode, Failure> {
    let size = std::fs::metadata(file).map_err(|error| format!("{}: {error}", file.display()))?.len();
    if size > evidence::LARGEST as u64 {
        return Err(format!("{}: larger than any bundle", file.display()).into());
    }
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let key = match key {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Some(VerifierKey::parse(&text).ok_or_else(|| format!("{}: not a verifier key", path.display()))?)
        }
        None => None,
    };
    let verdict = evidence::verify(&bytes, key.as_ref());
    let told = verdict.told();
    if json {
        say(serde_json::to_string_pretty(&told)?);
    } else {
        told.lines().into_iter().for_each(say);
    }
    Ok(ExitCode::from(if told.holds { 0 } else { 2 }))
}

/// A link for somebody who cannot get in, made on the host. Everybody sees the event.
async fn reset(config: Config, login: &str) -> Result<(), Failure> {
    let instance = Instance::open(&config, Clock::Machine).await?;
    let console = Console::new(&instance, "Countersign")?;
    let link = people::reset_from_host(&console, &Who::system("admin-reset"), login).await?;
    console.builder.build().await?;
    say(format!("{}/link/{}", config.base_url, *link));
    console.db().close().await;
    Ok(())
}
