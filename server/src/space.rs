//! Free space on the data folder's volume. The last of it is kept for acts that close: when it runs low, nothing is opened
//! any more, and revoking, disabling and ending go on.
use app::time::Moment;
use chrono::TimeDelta;
use std::{
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Below this many bytes nothing is opened: room for some hundred thousand closing acts.
const RESERVED: u64 = 64 * 1024 * 1024;
/// One answer of the system is good for this long.
const FRESH: TimeDelta = TimeDelta::seconds(1);

pub struct Space {
    folder: Option<PathBuf>,
    reserved: AtomicU64,
    known: Mutex<Option<(Moment, bool)>>,
}

impl Space {
    /// Watches the volume of a folder; without one (a database elsewhere) there is always enough here.
    pub fn of(folder: Option<PathBuf>) -> Self {
        Self { folder, reserved: AtomicU64::new(RESERVED), known: Mutex::new(None) }
    }

    /// How much is kept for acts that close.
    pub fn reserve(&self, bytes: u64) {
        self.reserved.store(bytes, Ordering::SeqCst);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Does a folder lie on the volume that is watched?
    #[cfg(unix)]
    pub fn shares_volume(&self, other: &std::path::Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let volume = |folder: &std::path::Path| std::fs::metadata(folder).ok().map(|about| about.dev());
        self.folder.as_ref().and_then(|own| volume(own)).is_some_and(|own| volume(other) == Some(own))
    }

    #[cfg(not(unix))]
    pub fn shares_volume(&self, _other: &std::path::Path) -> bool {
        false
    }

    pub fn is_short(&self, now: Moment) -> bool {
        let Some(folder) = &self.folder else { return false };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, short)) = *known
            && now - at < FRESH
            && now >= at
        {
            return short;
        }
        let short = free(folder).is_some_and(|free| free < self.reserved.load(Ordering::SeqCst));
        *known = Some((now, short));
        short
    }
}

#[cfg(unix)]
fn free(folder: &std::path::Path) -> Option<u64> {
    let volume = rustix::fs::statvfs(folder).ok()?;
    Some(volume.f_bavail.saturating_mul(volume.f_frsize))
}

#[cfg(not(unix))]
fn free(_folder: &std::path::Path) -> Option<u64> {
    None
}
