//! `cargo xtask bench`: what the README quotes, measured on this machine beside the cost of its fsync.
//!
//! Everything is real: the router over loopback, SQLite with `synchronous = FULL` (and PostgreSQL where
//! `COUNTERSIGN_TEST_POSTGRES` names one), policy asked, values sealed, events durable before an answer leaves.
use crate::{
    audit::{
        anchor::Anchors,
        event::{Event, Who},
        verify,
    },
    catalog::{self, NewProject, NewSecret},
    clock::Clock,
    console::Console,
    db::Db,
    http::{Site, asset_names, router},
    instance::{self, Instance},
    keys::KeyFiles,
    people::{self, Caller, Entry},
    requests::{self, Ask},
    rotations::{self, NewPlan},
    vault::{self, Source},
    workloads,
};
use app::{
    audit::action::Action,
    catalog::model::Kind,
    id::CorrelationId,
    policies::model::{Class, Right, Role, Tier},
    rotations::schedule::Schedule,
};
use chrono::TimeDelta;
use std::{
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use zeroize::Zeroizing;

mod evidence;
mod policies;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const CONNECTIONS: usize = 64;
const TIME: Duration = Duration::from_secs(5);

pub async fn run() -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("countersign-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = measure(&folder).await;
    std::fs::remove_dir_all(&folder)?;
    done
}

async fn measure(folder: &Path) -> Result<(), Failure> {
    fsync_probe(folder)?;
    let sqlite = Db::sqlite(&folder.join("bench.db")).await?;
    on("SQLite", sqlite).await?;
    if let Ok(url) = std::env::var("COUNTERSIGN_TEST_POSTGRES") {
        on("PostgreSQL", Db::postgres(&url).await?).await?;
    }
    tables();
    first_load();
    footprint(folder).await
}

#[allow(clippy::print_stdout, reason = "the command's result")]
fn say(what: &str, figure: &str) {
    println!("{what:<66} {figure}");
}

fn percentiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let at =
        |share: f64| times.get(((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1))).copied();
    (at(0.5).unwrap_or_default(), at(0.99).unwrap_or_default())
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn fsync_probe(folder: &Path) -> Result<(), Failure> {
    let mut file = std::fs::File::create(folder.join("probe"))?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    let (p50, p99) = percentiles(times);
    say("probe: write of 4 KiB and fsync, p50 / p99", &format!("{} / {}", millis(p50), millis(p99)));
    Ok(())
}

/// An installation with a workload that may fetch one secret, and secrets to write to.
struct Ground {
    clock: Clock,
    instance: Instance,
    console: Console,
    lead: Caller,
    client_secret: Zeroizing<String>,
    secrets: Vec<String>,
}

async fn ground(db: Db) -> Result<Ground, Failure> {
    db.migrate().await?;
    let files = KeyFiles::random()?;
    // The request is decided by somebody whose role is older than a day: the clock moves on before the measuring.
    let clock = Clock::fixed(Clock::Machine.now());
    instance::create(&db, &files, clock.clone(), false).await?;
    let instance = Instance::attach(db, &files, clock.clone(), Anchors::default()).await?;
    let console = Console::new(&instance, "Bench")?;
    let mut callers = Vec::new();
    for login in ["anna", "bela"] {
        people::make_administrator(&console, &Who::system("bench"), login, login, None).await?;
    }
    for login in ["anna", "bela"] {
        let load = || async {
            let person = people::store::find_by_login(&mut console.read().await?, login, console.seal_key()).await?;
            Caller::load(&console, person.ok_or(app::error::Error::NotFound)?, Entry::Direct, Who::anonymous()).await
        };
        let caller = load().await?;
        people::assign_role(&console, &caller, caller.id(), Role::Lead, None, None).await?;
        callers.push(load().await?);
    }
    let (lead, other) = (callers.remove(0), callers.remove(0));
    let (team, _) = people::create_team(&console, &lead, "bench", "Bench").await?;
    let new = NewProject { slug: "bench", name: "bench", description: "", open: true, team: &team };
    let (project, _) = catalog::create_project(&console, &lead, new).await?;
    let mut reader = console.read().await?;
    let project = catalog::store::find_project(&mut reader, &project).await?.ok_or("no project")?;
    let environments = catalog::store::environments(&mut reader, &project.id, console.seal_key()).await?;
    drop(reader);
    let staging = environments.into_iter().find(|row| row.tier() == Tier::Staging).ok_or("no environment")?;
    let mut secrets = Vec::new();
    for n in 0..CONNECTIONS {
        let path = format!("s/{n}");
        let new = NewSecret { path: &path, kind: Kind::Opaque, class: Class::Normal, description: "", team: &team };
        let (id, _) = catalog::create_secret(&console, &lead, &project, &staging, new).await?;
        write(&console, &lead, &id, 0).await?;
        secrets.push(id);
    }
    let (workload, _) = workloads::create_workload(&console, &lead, &project, &staging, "w", "w", &team).await?;
    let client_secret = workloads::issue_credential(&console, &lead, &workload, TimeDelta::days(90)).await?.secret;
    clock.advance(TimeDelta::days(2));
    let form = console.id::<CorrelationId>()?.to_string();
    let ask = Ask {
        secrets: secrets.clone(),
        right: Right::Read,
        minutes: 60 * 24 * 30,
        reason: "bench",
        workload: Some(&workload),
        starts_at: None,
        form: &form,
    };
    let (request, ..) = requests::submit_request(&console, &lead, ask).await?;
    let mut reader = console.read().await?;
    let digest = requests::store::find(&mut reader, &request, console.seal_key()).await?.ok_or("no request")?.digest;
    drop(reader);
    requests::approve_request(&console, &other, &request, &digest, "").await?;
    Ok(Ground { clock, instance, console, lead, client_secret, secrets })
}

async fn write(console: &Console, lead: &Caller, secret: &str, expected: i32) -> Result<(), Failure> {
    let payload = vault::payload(Kind::Opaque, vec![("value".into(), vault::generate(40)?)])?;
    vault::write_version(console, lead, secret, expected, payload, Source::Generated).await?;
    Ok(())
}

async fn on(name: &str, db: Db) -> Result<(), Failure> {
    let ground = Arc::new(ground(db).await?);
    policies::decisions(&ground)?;
    fetches(name, &ground).await?;
    policies::flood(name, &ground).await?;
    writes(name, &ground).await?;
    observations(name, &ground).await?;
    verification(name, &ground).await?;
    schedules(name, &ground).await?;
    evidence::run(name, &ground).await
}

/// B14: 100,000 secrets with a schedule, 1,000 of them due in one minute: how long it takes to see which, and to begin all.
async fn schedules(name: &str, ground: &Arc<Ground>) -> Result<(), Failure> {
    const DUE: usize = 1_000;
    const ALL: usize = 100_000;
    let console = &ground.console;
    let mut db = console.read().await?;
    let near = catalog::Located::find(&mut db, &ground.secrets[0], console.seal_key()).await?.ok_or("no secret")?;
    drop(db);
    for n in 0..DUE {
        let path = format!("r/{n}");
        let team = &near.secret.team_id;
        let new = NewSecret { path: &path, kind: Kind::Opaque, class: Class::Normal, description: "", team };
        let (id, _) = catalog::create_secret(console, &ground.lead, &near.project, &near.environment, new).await?;
        write(console, &ground.lead, &id, 0).await?;
        let plan = NewPlan { schedule: Schedule::Age { days: 30 }, ..NewPlan::generated() };
        rotations::configure_rotation(console, &ground.lead, &id, plan).await?;
    }
    let mut tx = console.ledger.housekeeping().await?;
    for n in 0..ALL - DUE {
        let at = console.now() + TimeDelta::days(40) + TimeDelta::seconds(n as i64);
        rotations::store::note_due(&mut tx, &format!("sec_later_{n}"), at).await?;
    }
    tx.finish().await?;
    ground.clock.advance(TimeDelta::days(31));
    let mut looks = Vec::new();
    for _ in 0..200 {
        let mut db = console.read().await?;
        let started = Instant::now();
        rotations::store::perhaps_due(&mut db, console.now(), 50).await?;
        looks.push(started.elapsed());
    }
    let (_, look) = percentiles(looks);
    let started = Instant::now();
    let mut lags = Vec::new();
    loop {
        let looked = rotations::start_due(console).await?;
        if looked == 0 {
            break;
        }
        lags.extend(std::iter::repeat_n(started.elapsed(), looked));
    }
    let (half, late) = percentiles(lags);
    let most = late + crate::jobs::LOOK;
    say(
        &format!("B14 {ALL} schedules, {DUE} due at once, {name}"),
        &format!(
            "look p99 {}, begun p50 {} p99 {}; with the look every {} s at most {}",
            millis(look),
            millis(half),
            millis(late),
            crate::jobs::LOOK.as_secs(),
            millis(most)
        ),
    );
    Ok(())
}

/// B1: token, policy, decryption and a durable event for each, over loopback.
async fn fetches(name: &str, ground: &Arc<Ground>) -> Result<(), Failure> {
    let site = Site::new(ground.console.clone(), "http://127.0.0.1", None, true);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = router(site).into_make_service_with_connect_info::<SocketAddr>();
    let server = axum_server::from_tcp(listener.into_std()?)?;
    let serving = tokio::spawn(server.serve(service));
    let origin = Who::anonymous();
    let token = workloads::issue_token(&ground.console, &origin, &ground.client_secret).await?.token;
    let mut tasks = Vec::new();
    let stop = Instant::now() + TIME;
    for n in 0..CONNECTIONS {
        let request = format!(
            "GET /api/v1/secrets/bench/staging/s/{n} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
            *token
        );
        tasks.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            let mut times = Vec::new();
            while Instant::now() < stop {
                let start = Instant::now();
                stream.write_all(request.as_bytes()).await?;
                answer(&mut stream).await?;
                times.push(start.elapsed());
            }
            Ok::<_, Failure>(times)
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    serving.abort();
    let rate = times.len() as f64 / TIME.as_secs_f64();
    let (p50, p99) = percentiles(times);
    let what = format!("B1 {name}: fetch over HTTP, {CONNECTIONS} connections: per second, p50 / p99");
    say(&what, &format!("{rate:.0}, {} / {}", millis(p50), millis(p99)));
    Ok(())
}

/// Reads one answer and insists that it is a success.
async fn answer(stream: &mut TcpStream) -> Result<(), Failure> {
    let mut bytes = Vec::with_capacity(2048);
    let mut chunk = [0; 2048];
    loop {
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Err("the connection closed".into());
        }
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        if !head.starts_with("http/1.1 200") {
            return Err(head.into());
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if bytes.len() >= end + 4 + length.unwrap_or(0) {
            return Ok(());
        }
    }
}

/// B3: a new version, sealed, its event in the same commit.
async fn writes(name: &str, ground: &Arc<Ground>) -> Result<(), Failure> {
    let stop = Instant::now() + TIME;
    let mut tasks = Vec::new();
    for secret in ground.secrets.clone() {
        let ground = ground.clone();
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            let mut version = 1;
            while Instant::now() < stop {
                let start = Instant::now();
                write(&ground.console, &ground.lead, &secret, version).await?;
                times.push(start.elapsed());
                version += 1;
            }
            Ok::<_, Failure>(times)
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let rate = times.len() as f64 / TIME.as_secs_f64();
    let (p50, p99) = percentiles(times);
    let what = format!("B3 {name}: secret write, {CONNECTIONS} writers: per second, p50 / p99");
    say(&what, &format!("{rate:.0}, {} / {}", millis(p50), millis(p99)));
    Ok(())
}

/// B5: events without a change, each durable when its call returns.
async fn observations(name: &str, ground: &Arc<Ground>) -> Result<(), Failure> {
    const WRITERS: usize = 512;
    let stop = Instant::now() + TIME;
    let mut tasks = Vec::new();
    for n in 0..WRITERS {
        let ledger = ground.console.ledger.clone();
        tasks.push(tokio::spawn(async move {
            let who = Who::system("bench");
            let mut count = 0_u64;
            while Instant::now() < stop {
                ledger.observe(&who, Event::new(Action::Heartbeat).detail("n", n as u64)).await?;
                count += 1;
            }
            Ok::<_, app::error::Error>(count)
        }));
    }
    let mut count = 0;
    for task in tasks {
        count += task.await??;
    }
    say(
        &format!("B5 {name}: ledger append by observe: events per second"),
        &format!("{:.0}", count as f64 / TIME.as_secs_f64()),
    );
    Ok(())
}

/// B7: stored leaves to root and checkpoints, one core.
async fn verification(name: &str, ground: &Arc<Ground>) -> Result<(), Failure> {
    ground.console.builder.build().await?;
    let start = Instant::now();
    let key = ground.console.builder.verifier();
    let report = verify::run(&ground.instance.db, &key, verify::Options::default(), false).await?;
    if !report.is_clean() {
        return Err("the bench's own trail does not verify".into());
    }
    let rate = report.verified.size as f64 / start.elapsed().as_secs_f64();
    say(&format!("B7 {name}: verify {} events: events per second", report.verified.size), &format!("{rate:.0}"));
    Ok(())
}

/// B9: a page's table of 1,000 rows and two columns.
fn tables() {
    let start = Instant::now();
    let mut count = 0;
    let mut bytes = 0;
    while start.elapsed() < TIME {
        let html = app::session::render(|| {
            let rows = (0..1000)
                .map(|n| vec![app::ui::text(format!("row {n}")), app::ui::text(format!("value {n}"))])
                .collect();
            app::ui::table("Rows", &["Name", "Value"], rows)
        });
        bytes = html.len();
        count += 1;
    }
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    say("B9 table of 1,000 rows × 2, rendered: per second on one core, bytes", &format!("{rate:.0}, {bytes}"));
}

/// B11: what a first visit loads, compressed.
fn first_load() {
    let names = asset_names();
    let mut total = 0;
    for name in [&names.boot, &names.script, &names.wasm, &names.styles] {
        total += crate::http::asset_length(&format!("{name}.br")).unwrap_or(0);
    }
    say("B11 first load, brotli: wasm, scripts and styles", &format!("{:.0} KB", total as f64 / 1024.0));
    let styles = crate::http::asset_length(&format!("{}.br", names.styles)).unwrap_or(0);
    say("B11 sign-in page: styles alone", &format!("{:.0} KB", styles as f64 / 1024.0));
}

/// B13: a process of its own that serves and does nothing.
async fn footprint(folder: &Path) -> Result<(), Failure> {
    let binary: PathBuf = std::env::current_exe()?;
    let data = folder.join("idle");
    let init = std::process::Command::new(&binary)
        .arg("init")
        .arg("--data")
        .arg(&data)
        .stdout(std::process::Stdio::null())
        .status()?;
    if !init.success() {
        return Err("init failed".into());
    }
    let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let start = Instant::now();
    let mut server = std::process::Command::new(&binary)
        .arg("serve")
        .arg("--data")
        .arg(&data)
        .args(["--listen", &address.to_string()])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()?;
    while TcpStream::connect(address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if start.elapsed() > Duration::from_secs(20) {
            return Err("the server did not start".into());
        }
    }
    let started = start.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap_or_default();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).map_or("unknown", str::trim).to_owned();
    server.kill()?;
    server.wait()?;
    let size = std::fs::metadata(&binary)?.len() as f64 / (1024.0 * 1024.0);
    say("B13 idle memory, start, binary", &format!("{memory}, {}, {size:.0} MB", millis(started)));
    Ok(())
}
