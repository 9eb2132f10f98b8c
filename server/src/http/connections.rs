//! How many connections there are, and how long one may keep quiet: a server that strangers hold open answers nobody.
use crate::{config::Network, people::attempts::network};
use axum_server::accept::Accept;
use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The longest until the head of a request is here, on a new connection and on one that is kept.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Connections from one address or network of a customer.
const PER_SOURCE: usize = 256;
/// Descriptors that are kept for the database, its log, anchors and calls to others.
const RESERVED: u64 = 160;
/// More than this many are of no use to one process.
const MOST: u64 = 65_536;

/// Lets connections in, as many as there is room for.
#[derive(Clone)]
pub struct Limited {
    open: Arc<Mutex<Open>>,
    most: usize,
    /// Speaks for everybody behind it: how many each of them opens is the proxy's to bound.
    proxy: Option<Network>,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_source: HashMap<String, usize>,
}

impl Limited {
    /// As many connections as the process may have descriptors, less those that it needs itself.
    pub fn new(descriptors: u64, proxy: Option<Network>) -> Self {
        let most = descriptors.min(MOST).saturating_sub(RESERVED).max(16);
        Self { open: Arc::default(), most: usize::try_from(most).unwrap_or(usize::MAX), proxy }
    }

    fn admit(&self, stream: &TcpStream) -> Option<Place> {
        let peer = stream.peer_addr().ok()?.ip().to_canonical();
        let source =
            if self.proxy.is_some_and(|proxy| proxy.contains(peer)) { None } else { Some(network(&peer.to_string())) };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let own = source.as_ref().and_then(|source| open.by_source.get(source)).copied().unwrap_or(0);
        if open.total >= self.most || own >= PER_SOURCE {
            return None;
        }
        open.total += 1;
        if let Some(source) = &source {
            open.by_source.insert(source.clone(), own + 1);
        }
        Some(Place { open: self.open.clone(), source })
    }
}

/// One connection's place; free again when it is dropped.
struct Place {
    open: Arc<Mutex<Open>>,
    source: Option<String>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Some(source) = &self.source
            && let Some(count) = open.by_source.get_mut(source)
        {
            *count -= 1;
            if *count == 0 {
                open.by_source.remove(source);
            }
        }
    }
}

impl<S> Accept<TcpStream, S> for Limited {
    type Stream = Admitted;
    type Service = S;
    type Future = std::future::Ready<io::Result<(Admitted, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let full = || io::Error::new(io::ErrorKind::ConnectionRefused, "too many connections");
        let admitted = self.admit(&stream).ok_or_else(full);
        std::future::ready(admitted.map(|place| (Admitted { stream, _place: place }, service)))
    }
}

/// A connection that was let in.
pub struct Admitted {
    stream: TcpStream,
    _place: Place,
}

impl AsyncRead for Admitted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Admitted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Raises the number of descriptors that this process may have to the most that it is allowed; returns how many that are.
#[cfg(unix)]
pub fn raise_descriptors() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(MOST, |most| most.min(MOST));
    let now = limit.current.unwrap_or(MOST);
    if now >= most {
        return now;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }) {
        Ok(()) => most,
        Err(error) => {
            tracing::warn!(%error, now, "the number of descriptors could not be raised");
            now
        }
    }
}

#[cfg(not(unix))]
pub fn raise_descriptors() -> u64 {
    MOST
}
