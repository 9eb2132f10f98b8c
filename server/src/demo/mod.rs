//! The demonstration: half a year of a company that does not exist, lived by the real operations under a moving clock.
//!
//! Deterministic in what happens (offset, actor, action, subject); key material and ids are random. Loopback only.
pub mod certificate;
mod controls;
pub mod dice;
mod evidence;
mod life;
pub mod organisation;
pub mod receiver;
mod rotations;
mod strange;

pub use organisation::NAME as ORGANISATION;
pub use strange::PLANTED;

use crate::{
    audit,
    clock::Clock,
    config::Config,
    console::Console,
    instance::{self, Instance},
    jobs, keys,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use life::Life;
use receiver::Receiver;

/// How long the company has lived when the demonstration opens.
const DAYS: i64 = 180;

/// Who one can sign in as, and what each is for.
pub const PERSONAS: [(&str, &str); 6] = [
    ("mara.lindqvist", "Security. Decides on a critical production request within a minute."),
    ("iris.okonkwo", "Lead of payments. Sees what waits for her team."),
    ("jonas.weidmann", "Engineer. Asks for access and uses it."),
    ("samir.haddad", "Auditor. Reads evidence, never a value."),
    ("henrik.aalto", "Auditor from outside. Reads the events of three months that are over."),
    ("anneliese.hohenberg", "Administrator. Keeps people, roles and sign-in; what she loosens waits for security."),
];

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Instance(#[from] instance::Error),
    #[error(transparent)]
    Policies(#[from] crate::policies::Error),
    #[error("{0} holds something that is no demonstration: it is left alone")]
    NotADemo(std::path::PathBuf),
    #[error("{0}: {1}")]
    Folder(std::path::PathBuf, std::io::Error),
    #[error("the demonstration could not be lived: {0}")]
    Life(#[from] app::error::Error),
    #[error("the demonstration's receiver could not listen: {0}")]
    Receiver(std::io::Error),
    #[error(transparent)]
    Keys(#[from] crate::keys::Error),
    #[error(transparent)]
    Database(#[from] crate::db::Error),
}

pub struct Made {
    pub events: u64,
    /// What the demonstration rotates against: it listens while the process lives.
    pub receiver: Receiver,
}

/// The clock on the company's first morning.
pub fn start() -> Clock {
    let now = Clock::Machine.now();
    let morning = (now - TimeDelta::days(DAYS)).date_naive().and_hms_opt(7, 0, 0);
    Clock::fixed(morning.map_or(now, |morning| morning.and_utc()))
}

const MARK: &str = "demonstration";

/// Makes room: an earlier demonstration is removed, anything else is left alone.
pub fn clear(config: &Config) -> Result<(), Error> {
    let failed = |folder: &std::path::Path| {
        let folder = folder.to_owned();
        move |why| Error::Folder(folder, why)
    };
    for folder in [&config.data, &config.keys] {
        if folder.exists() {
            if !config.data.join(MARK).exists() {
                return Err(Error::NotADemo(folder.clone()));
            }
            if *folder != config.data {
                std::fs::remove_dir_all(folder).map_err(failed(folder))?;
            }
        }
    }
    if config.data.exists() {
        std::fs::remove_dir_all(&config.data).map_err(failed(&config.data))?;
    }
    std::fs::create_dir_all(&config.data).map_err(failed(&config.data))?;
    std::fs::write(config.data.join(MARK), "Made by countersign demo; it may be removed at any time.\n")
        .map_err(failed(&config.data))
}

/// Lives the half year in an installation that was just made.
pub async fn make(config: &Config) -> Result<Made, Error> {
    let clock = start();
    let instance = Instance::open(config, clock.clone()).await?;
    // A demonstration that is lost is made again: its past need not survive a power cut, and is safe once it is served.
    instance.db.relax().await?;
    let console = Console::new(&instance, ORGANISATION)?;
    let signing = format!("whsec_{}", STANDARD.encode(keys::random::<32>()?));
    let receiver = Receiver::start(&signing, clock.clone()).await.map_err(Error::Receiver)?;
    jobs::started(&console).await?;
    Life::new(console.clone(), clock, Clock::Machine.now(), (receiver.clone(), signing.into())).live().await?;
    receiver.follow(Clock::Machine);
    jobs::stopped(&console).await;
    let events = audit::store::size(&mut instance.db.read().await?).await?;
    instance.db.settle().await?;
    instance.db.close().await;
    Ok(Made { events, receiver })
}
