//! A private PostgreSQL for one run of the tests: a cluster in a temporary folder, on a unix socket and, by password alone,
//! on loopback; gone afterwards.
use crate::dates::Faked;
use crate::machine::{Done, apt_install, is_root, on_path, run, say};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

pub struct Postgres {
    folder: PathBuf,
    bin: PathBuf,
    /// The tests' own way in: the socket, as the cluster's superuser.
    url: String,
    /// Where it takes connections by password alone, as a rotation's target: `host:port`.
    by_password: String,
}

impl Postgres {
    /// Starts a cluster. `durable` is for measuring: the tests do not cut the power.
    /// With another clock it lives at that time.
    pub fn start(durable: bool, faked: &Faked) -> Done<Postgres> {
        let fsync = if durable { "on" } else { "off" };
        let bin = binaries()?;
        let folder = std::env::temp_dir().join(format!("countersign-postgres-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        if is_root() {
            // initdb refuses root.
            run(
                Command::new("chown").arg("postgres").arg(&folder),
                "The postgres user comes with Debian's postgresql.",
            )?;
        }
        say("start a private PostgreSQL");
        let data = folder.join("data");
        run(
            as_postgres(&bin.join("initdb"))
                .args([
                    "--auth-local=trust",
                    "--auth-host=scram-sha-256",
                    "--encoding=UTF8",
                    "--no-locale",
                    "--username=countersign",
                    "-D",
                ])
                .arg(&data)
                .stdout(Stdio::null()),
            "initdb makes the database cluster.",
        )?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .map_err(|error| error.to_string())?
            .port();
        let settings = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='{}' -c max_connections=300 -c shared_buffers=128MB \
             -c fsync={fsync} -c full_page_writes={fsync}",
            folder.display()
        );
        run(
            as_postgres(&bin.join("pg_ctl"))
                .envs(faked.iter().map(|(name, value)| (name, value)))
                .args(["start", "--wait", "--silent", "-o", &settings, "-D"])
                .arg(&data)
                .arg("-l")
                .arg(folder.join("log")),
            "See the log in the cluster's folder.",
        )?;
        let socket = folder.display().to_string().replace('/', "%2F");
        let url = format!("postgres://countersign@{socket}:{port}/postgres");
        Ok(Postgres { folder, bin, url, by_password: format!("127.0.0.1:{port}") })
    }

    /// How the tests find it.
    pub fn environment(&self) -> [(&'static str, &str); 2] {
        [("COUNTERSIGN_TEST_POSTGRES", &self.url), ("COUNTERSIGN_TEST_POSTGRES_TARGET", &self.by_password)]
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.folder.join("data");
        let _ = as_postgres(&self.bin.join("pg_ctl")).args(["stop", "-m", "immediate", "-s", "-D"]).arg(data).status();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn as_postgres(program: &Path) -> Command {
    if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program).current_dir("/tmp");
        command
    } else {
        Command::new(program)
    }
}

fn binaries() -> Done<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    apt_install(&["postgresql"], "every story also runs on a real PostgreSQL")?;
    find().ok_or_else(|| "PostgreSQL is installed but its initdb was not found".into())
}

fn find() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|dir| dir.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    versions
        .into_iter()
        .rev()
        .find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
        .or_else(|| on_path("initdb").and_then(|path| path.parent().map(Path::to_path_buf)))
}
