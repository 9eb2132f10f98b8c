//! Self-signed certificates, so that the demonstration has values that end by their own date.
use app::{error::Error, time::Moment};
use chrono::TimeDelta;
use zeroize::Zeroizing;

/// A chain of one and its key, in PEM.
pub fn issue(name: &str, from: Moment, lasts: TimeDelta) -> Result<Vec<(String, Zeroizing<String>)>, Error> {
    let made = || -> Result<_, rcgen::Error> {
        let mut parameters = rcgen::CertificateParams::new(vec![format!("{name}.partner.example")])?;
        let at = |moment: Moment| {
            time::OffsetDateTime::from_unix_timestamp(moment.timestamp()).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
        };
        (parameters.not_before, parameters.not_after) = (at(from), at(from + lasts));
        let key = rcgen::KeyPair::generate()?;
        Ok((parameters.self_signed(&key)?.pem(), key.serialize_pem()))
    };
    let (chain, key) = made().map_err(|_| Error::Unavailable)?;
    Ok(vec![("chain".into(), chain.into()), ("key".into(), key.into())])
}
