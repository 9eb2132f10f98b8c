//! The real binary: what it refuses at start, and what is left after it is killed in the middle of its work.
use server::{
    audit::store,
    clock::Clock,
    config::Settings,
    console::Console,
    instance::{self, Instance},
    people,
};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_countersign"))
}

pub fn run(arguments: &[&str]) -> (i32, String) {
    let out = binary().args(arguments).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code().unwrap_or(-1), text)
}

pub fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn serve(data: &Path, listen: SocketAddr) -> Child {
    serve_with(data, listen, &[])
}

pub fn serve_with(data: &Path, listen: SocketAddr, more: &[&str]) -> Child {
    let mut child = binary()
        .args(["serve", "--data"])
        .arg(data)
        .args(["--listen", &listen.to_string(), "--anchor"])
        .arg(data.with_extension("anchor"))
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let listens = lines.map_while(Result::ok).any(|line| line.contains("listens on"));
    assert!(listens, "the server started");
    child
}

/// One request over a connection of its own: status and body, if an answer came at all.
async fn ask(listen: SocketAddr, request: String) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(listen).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let body = text.split_once("\r\n\r\n")?.1.to_owned();
    Some((status, body))
}

#[test]
fn the_start_refuses_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data_text = data.to_str().unwrap();
    let (code, text) = run(&["serve", "--data", data_text]);
    assert!(code == 1 && text.contains("countersign init"), "{text}");
    assert_eq!(run(&["init", "--data", data_text]).0, 0);
    let (code, text) = run(&["init", "--data", data_text]);
    assert!(code == 1 && text.contains("never replaces"), "{text}");
    let (code, text) = run(&["serve", "--data", data_text, "--listen", "0.0.0.0:8400"]);
    assert!(code == 1 && text.contains("--tls-cert"), "{text}");
    let (code, text) = run(&["demo", "--data", data_text, "--seed-only"]);
    assert!(code == 1 && text.contains("no demonstration"), "{text}");
    let config = folder.path().join("config.toml");
    fs::write(&config, "lisen = \"127.0.0.1:1\"").unwrap();
    let (code, text) = run(&["config", "check", "--config", config.to_str().unwrap(), "--data", data_text]);
    assert!(code == 1 && text.contains("lisen"), "{text}");
    let key = folder.path().join("data.keys/root.key");
    let kept = fs::read(&key).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let (code, text) = run(&["serve", "--data", data_text]);
        assert!(code == 1 && text.contains("chmod 600"), "{text}");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::write(&key, "00".repeat(32)).unwrap();
    let (code, text) = run(&["serve", "--data", data_text]);
    assert!(code == 1 && text.contains("root key is not the one"), "{text}");
    fs::write(&key, kept).unwrap();
    assert_eq!(run(&["version"]).0, 0);
}

#[test]
fn a_second_instance_and_an_older_binary_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert_eq!(run(&["init", "--data", data.to_str().unwrap()]).0, 0);
    let mut first = serve(&data, free());
    let (code, text) = run(&["serve", "--data", data.to_str().unwrap(), "--listen", &free().to_string()]);
    assert!(code == 1 && text.contains("another countersign"), "{text}");
    let (code, text) = run(&["audit", "verify", "--deep", "--state", "--data", data.to_str().unwrap()]);
    assert!(code == 0 && text.contains("whole"), "the trail is verified while the server runs: {text}");
    first.kill().unwrap();
    first.wait().unwrap();
    let schema = |statement: &'static str| {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            use sqlx::{Connection, Executor};
            let path = data.join("countersign.db");
            let mut db = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
            db.execute(statement).await.unwrap();
        });
    };
    // A schema that a newer binary made.
    schema(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'future', 1, x'00', 0)",
    );
    let (code, text) = run(&["serve", "--data", data.to_str().unwrap(), "--listen", &free().to_string()]);
    assert!(code == 1 && text.contains("9999"), "{text}");
    // One from before what is stored had seals.
    schema("DELETE FROM _sqlx_migrations WHERE version > 26");
    let (code, text) = run(&["serve", "--data", data.to_str().unwrap(), "--listen", &free().to_string()]);
    assert!(code == 1 && text.contains("before events and projects had seals"), "{text}");
}

#[test]
fn a_restored_older_state_stops_the_start_until_it_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let text = data.to_str().unwrap();
    assert_eq!(run(&["init", "--data", text]).0, 0);
    let files = ["countersign.db", "countersign.db-wal"];
    let copies = files.map(|file| fs::read(data.join(file)).ok());
    let mut server = serve(&data, free());
    std::thread::sleep(Duration::from_millis(1500));
    server.kill().unwrap();
    server.wait().unwrap();
    let _ = fs::remove_file(data.join("countersign.db-shm"));
    for (file, copy) in files.into_iter().zip(copies) {
        match copy {
            Some(bytes) => fs::write(data.join(file), bytes).unwrap(),
            None => drop(fs::remove_file(data.join(file))),
        }
    }
    let anchor = data.with_extension("anchor");
    let (code, said) =
        run(&["serve", "--data", text, "--listen", &free().to_string(), "--anchor", anchor.to_str().unwrap()]);
    assert!(code == 4 && said.contains("older state was restored"), "{code} {said}");
    let anchor = anchor.to_str().unwrap();
    let kept = fs::read(Path::new(anchor).join("checkpoint")).unwrap();
    let old = folder.path().join("old-checkpoint");
    fs::write(&old, kept).unwrap();
    let (code, said) =
        run(&["recover", "--data", text, "--anchor", anchor, "--accept-rollback", "--reason", "disk died"]);
    assert!(code == 0, "{said}");
    let again = run(&["recover", "--data", text, "--anchor", anchor, "--accept-rollback", "--reason", "again"]);
    assert!(again.0 == 1 && again.1.contains("nothing to recover"), "{}", again.1);
    let mut server = serve(&data, free());
    std::thread::sleep(Duration::from_millis(1500));
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(run(&["audit", "verify", "--deep", "--data", text]).0, 0);
    let (code, said) = run(&["audit", "verify", "--data", text, "--checkpoint", old.to_str().unwrap()]);
    assert!(code == 3 && said.contains("lost in the restore"), "{code} {said}");
}

/// Kills the process with signal 9 while sign-ins and set-up requests run, again and again. Afterwards everything that was
/// acknowledged is in the trail at its place, nothing else is, and the whole verifies.
#[test]
fn killed_in_the_middle_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let text = data.to_str().unwrap().to_owned();
    assert_eq!(run(&["init", "--data", &text]).0, 0);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let secret = runtime.block_on(with_a_workload(Settings { data: Some(data.clone()), ..Settings::default() }));
    let mut acknowledged: Vec<u64> = Vec::new();
    for round in 0..4_u64 {
        let listen = free();
        let mut server = serve(&data, listen);
        let stop = Instant::now() + Duration::from_millis(250 + 90 * round);
        let seen = runtime.block_on(async {
            let mut tasks = Vec::new();
            for _ in 0..6 {
                let secret = secret.clone();
                tasks.push(tokio::spawn(async move {
                    let mut seen = Vec::new();
                    while Instant::now() < stop + Duration::from_millis(300) {
                        match exchange(listen, &secret).await {
                            Some((200, body)) => seen.push(
                                serde_json::from_str::<serde_json::Value>(&body).unwrap()["event"].as_u64().unwrap(),
                            ),
                            Some(_) => {}
                            None => break,
                        }
                    }
                    seen
                }));
            }
            tokio::time::sleep_until(stop.into()).await;
            server.kill().unwrap();
            server.wait().unwrap();
            let mut seen = Vec::new();
            for task in tasks {
                seen.extend(task.await.unwrap());
            }
            seen
        });
        assert!(!seen.is_empty(), "round {round} did some work before the kill");
        acknowledged.extend(seen);
        let (code, said) = run(&["audit", "verify", "--deep", "--state", "--data", &text]);
        assert_eq!(code, 0, "{said}");
    }
    let unique: std::collections::BTreeSet<u64> = acknowledged.iter().copied().collect();
    assert_eq!(unique.len(), acknowledged.len(), "no place was given twice");
    runtime.block_on(async {
        let config = Settings { data: Some(data.clone()), ..Settings::default() }.resolve().unwrap();
        let db = instance::connect(&config).await.unwrap();
        let mut reader = db.read().await.unwrap();
        for seq in unique {
            let row = store::find(&mut reader, seq).await.unwrap();
            assert!(row.is_some_and(|row| row.action == "token.issued"), "event {seq} was acknowledged");
        }
    });
}

/// Exchanges the client secret for a token: what is answered.
pub async fn exchange(listen: SocketAddr, secret: &str) -> Option<(u16, String)> {
    let body = format!("{{\"client_secret\":\"{secret}\"}}");
    let request = format!(
        "POST /api/v1/token HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    ask(listen, request).await
}

/// The same: the token and the event's number.
pub async fn token(listen: SocketAddr, secret: &str) -> Option<(String, u64)> {
    let (status, body) = exchange(listen, secret).await?;
    let answer: serde_json::Value = serde_json::from_str(&body).ok().filter(|_| status == 200)?;
    Some((answer["token"].as_str()?.to_owned(), answer["event"].as_u64()?))
}

async fn fetch_status(listen: SocketAddr, token: &str) -> u16 {
    let request = format!(
        "GET /api/v1/secrets/p/development/none HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    ask(listen, request).await.unwrap().0
}

/// Two processes share one PostgreSQL database: what one does counts at the other on the next request, one of them dies
/// without warning, and the trail is whole.
#[test]
fn two_replicas_are_one_service() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = runtime.block_on(crate::support::fresh_postgres(None));
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let keys = folder.path().join("one.keys");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (code, said) = run(&["init", "--data", &text(&one), "--database", &url]);
    assert_eq!(code, 0, "{said}");
    let settings = Settings { data: Some(one.clone()), database: Some(url.clone()), ..Settings::default() };
    let secret = runtime.block_on(with_a_workload(settings.clone()));
    let more = ["--database", &url, "--keys", keys.to_str().unwrap()];
    let (here, there) = (free(), free());
    let (mut first, mut second) = (serve_with(&one, here, &more), serve_with(&two, there, &more));
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..8 {
            let (secret, listen) = (secret.clone(), if n % 2 == 0 { here } else { there });
            tasks.spawn(async move {
                let mut seen = Vec::new();
                for _ in 0..20 {
                    seen.extend(token(listen, &secret).await.map(|(_, seq)| seq));
                }
                seen
            });
        }
        let seen: Vec<u64> = tasks.join_all().await.concat();
        let unique: std::collections::BTreeSet<u64> = seen.iter().copied().collect();
        assert_eq!((seen.len(), unique.len()), (160, 160), "each got a place of its own");
        let (bearer, _) = token(here, &secret).await.unwrap();
        assert_eq!(fetch_status(here, &bearer).await, 404, "known here, and may read nothing");
        assert_eq!(fetch_status(there, &bearer).await, 404, "known there");
        first.kill().unwrap();
        first.wait().unwrap();
        assert!(token(there, &secret).await.is_some(), "the other goes on");
        assert_eq!(fetch_status(there, &bearer).await, 404);
    });
    // The operator disables the workload beside the running replica: its tokens end on the next request.
    runtime.block_on(async {
        let (bearer, _) = token(there, &secret).await.unwrap();
        let config = settings.resolve().unwrap();
        let instance = Instance::open(&config, Clock::Machine).await.unwrap();
        let console = Console::new(&instance, "Test").unwrap();
        let mut db = console.db().unseen().read().await.unwrap();
        let anna = people::store::find_by_login(&mut db, "anna", console.seal_key()).await.unwrap().unwrap();
        let workload = server::workloads::store::list(&mut db, console.seal_key()).await.unwrap().remove(0);
        drop(db);
        let anna = people::Caller::load(&console, anna, people::Entry::Direct, server::audit::event::Who::anonymous())
            .await
            .unwrap();
        server::workloads::disable_workload(&console, &anna, &workload.id).await.unwrap();
        assert_eq!(fetch_status(there, &bearer).await, 401);
        console.db().close().await;
    });
    second.kill().unwrap();
    second.wait().unwrap();
    let arguments = ["audit", "verify", "--deep", "--state", "--data", &text(&one), "--database", &url];
    let (code, said) = run(&arguments);
    assert_eq!(code, 0, "{said}");
}

/// Nothing is half made where nothing may be written; and data that became read-only stops the start with a reason.
#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().join("data");
    // Root writes anywhere: such a run of the tests lends the child another user.
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let run_as = |arguments: &[&str]| {
        let mut command = binary();
        command.args(arguments);
        if is_root {
            command.uid(65534).gid(65534);
        }
        // Where another user may not even run the binary there is nothing to see.
        let out = command.output().ok()?;
        let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        Some((out.status.code().unwrap_or(-1), text))
    };
    if !is_root {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    }
    let Some((code, said)) = run_as(&["init", "--data", data.to_str().unwrap()]) else { return };
    assert!(code == 1 && said.contains("ermission denied"), "{code} {said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was half made");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(run(&["init", "--data", data.to_str().unwrap()]).0, 0);
    // Everything may be read and nothing written, as on a volume that was mounted anew.
    for path in [data.clone(), folder.path().join("data.keys")] {
        for entry in fs::read_dir(&path).unwrap().flatten() {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o400)).unwrap();
            if is_root {
                std::os::unix::fs::chown(entry.path(), Some(65534), Some(65534)).unwrap();
            }
        }
        if is_root {
            std::os::unix::fs::chown(&path, Some(65534), Some(65534)).unwrap();
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o500)).unwrap();
    }
    let (code, said) = run_as(&["serve", "--data", data.to_str().unwrap(), "--listen", &free().to_string()]).unwrap();
    assert!(code == 1 && (said.contains("ermission denied") || said.contains("readonly")), "{code} {said}");
    assert!(said.contains(data.to_str().unwrap()) || said.contains("database"), "the reason names what: {said}");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(folder.path().join("data.keys"), fs::Permissions::from_mode(0o700)).unwrap();
}

/// A workload with a client secret, made with the real operations.
pub async fn with_a_workload(settings: Settings) -> String {
    use app::policies::model::Role;
    use server::{audit::event::Who, catalog, workloads};
    let config = settings.resolve().unwrap();
    let instance = Instance::open(&config, Clock::Machine).await.unwrap();
    let console = Console::new(&instance, "Test").unwrap();
    people::make_administrator(&console, &Who::system("test"), "anna", "Anna", None).await.unwrap();
    let anna = || async {
        let person =
            people::store::find_by_login(&mut console.db().unseen().read().await.unwrap(), "anna", console.seal_key())
                .await
                .unwrap();
        people::Caller::load(&console, person.unwrap(), people::Entry::Direct, Who::anonymous()).await.unwrap()
    };
    let caller = anna().await;
    people::assign_role(&console, &caller, caller.id(), Role::Lead, None, None).await.unwrap();
    let caller = anna().await;
    let (team, _) = people::create_team(&console, &caller, "t", "T").await.unwrap();
    let new = catalog::NewProject { slug: "p", name: "p", description: "", open: true, team: &team };
    let (project, _) = catalog::create_project(&console, &caller, new).await.unwrap();
    let mut db = console.db().unseen().read().await.unwrap();
    let project = catalog::store::find_project(&mut db, &project).await.unwrap().unwrap();
    let environment = catalog::store::environments(&mut db, &project.id, console.seal_key()).await.unwrap().remove(0);
    drop(db);
    let (workload, _) =
        workloads::create_workload(&console, &caller, &project, &environment, "w", "w", &team).await.unwrap();
    let made = workloads::issue_credential(&console, &caller, &workload, chrono::TimeDelta::days(1)).await.unwrap();
    console.db().close().await;
    made.secret.to_string()
}

/// A connection from one of the machine's own addresses.
#[cfg(target_os = "linux")]
async fn from(source: [u8; 4], to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    socket.connect(to).await
}

/// Strangers that connect and say nothing, more of them than the process may have descriptors: everybody else is answered, and theirs
/// end.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_keep_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert_eq!(run(&["init", "--data", data.to_str().unwrap()]).0, 0);
    let listen = free();
    let mut server = Command::new("sh")
        .args(["-c", "ulimit -n 512 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_countersign"), "serve", "--data"])
        .arg(&data)
        .args(["--listen", &listen.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("listens on")));
    let mut silent = Vec::new();
    for n in 0..1_000_u32 {
        // From one address, and, to the last descriptor, from many.
        let last = if n < 500 { 2 } else { 3 + (n % 200) as u8 };
        silent.push(from([127, 0, 0, last], listen).await.unwrap());
    }
    // Some of them hold their place for ten seconds at most.
    let begun = Instant::now();
    let mut answered = None;
    while answered.is_none() && begun.elapsed() < Duration::from_secs(20) {
        answered = ask(listen, "GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".into()).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(
        answered.map(|(status, _)| status),
        Some(200),
        "the database answers as well: it has its own descriptors"
    );
    tokio::time::sleep(Duration::from_secs(12).saturating_sub(begun.elapsed())).await;
    for mut connection in silent {
        let mut byte = [0; 1];
        let ended = tokio::time::timeout(Duration::from_secs(1), connection.read(&mut byte)).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))), "it was ended");
    }
    assert!(server.try_wait().unwrap().is_none(), "and the server goes on");
    server.kill().unwrap();
    server.wait().unwrap();
}

/// Without any anchor that the operator names, the head beside the keys tells that a database was put back or rewritten.
#[test]
fn the_head_beside_the_keys_tells_that_a_database_was_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let text = data.to_str().unwrap();
    assert_eq!(run(&["init", "--data", text]).0, 0);
    assert!(folder.path().join("data.keys/checkpoint").exists(), "there is never a log without a head");
    let (code, said) = run(&["audit", "verify", "--deep", "--state", "--data", text]);
    assert!(code == 0 && said.contains("1 checkpoints"), "{said}");
    let files = ["countersign.db", "countersign.db-wal"];
    let copies = files.map(|file| fs::read(data.join(file)).ok());
    let listen = free();
    let mut server = binary()
        .args(["serve", "--data", text, "--listen", &listen.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("listens on")));
    std::thread::sleep(Duration::from_millis(1500));
    server.kill().unwrap();
    server.wait().unwrap();
    for (file, copy) in files.iter().zip(copies) {
        match copy {
            Some(copy) => fs::write(data.join(file), copy).unwrap(),
            None => drop(fs::remove_file(data.join(file))),
        }
    }
    let _ = fs::remove_file(data.join("countersign.db-shm"));
    let (code, said) = run(&["audit", "verify", "--data", text]);
    assert!(code == 2 && said.contains("the end was cut off"), "{said}");
    let (code, said) = run(&["serve", "--data", text, "--listen", &free().to_string()]);
    assert!(code == 4 && said.contains("an older state was restored"), "{said}");
}
