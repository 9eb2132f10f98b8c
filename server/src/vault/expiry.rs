//! When a value ends by its own date: read from what it is, not typed beside it.
use super::envelope::Payload;
use app::{catalog::model::Kind, time::Moment};
use chrono::{DateTime, TimeDelta};
use x509_parser::{parse_x509_certificate, pem::Pem};

/// How long before its end those who own a value in use are told.
const AHEAD: TimeDelta = TimeDelta::days(14);

/// Until when a value works: the earliest notAfter (RFC 5280, 4.1.2.5) in the chain of a certificate, since a chain is
/// refused as soon as one link of it is. `None`: it has no date, or none that can be read.
pub fn of(kind: Kind, payload: &Payload) -> Option<Moment> {
    if kind != Kind::Certificate {
        return None;
    }
    let (_, chain) = payload.fields().find(|(name, _)| *name == "chain")?;
    not_after(chain)
}

/// The earliest notAfter of the certificates in a PEM text. What is beside them is left aside.
pub fn not_after(chain: &[u8]) -> Option<Moment> {
    let mut earliest = None;
    for block in Pem::iter_from_buffer(chain) {
        let block = block.ok()?;
        if block.label != "CERTIFICATE" {
            continue;
        }
        let (_, certificate) = parse_x509_certificate(&block.contents).ok()?;
        let until = DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)?;
        earliest = Some(earliest.map_or(until, |known: Moment| known.min(until)));
    }
    earliest
}

/// When to look at it first.
pub fn first_look(until: Moment) -> Moment {
    until - AHEAD
}

/// What somebody should look at before storing a chain.
pub fn warning(chain: &[u8], now: Moment) -> Option<String> {
    match not_after(chain) {
        None => Some("No certificate could be read (PEM): nobody will be told when it ends.".into()),
        Some(until) if until <= now => Some(format!("It ended {}.", app::time::long(until))),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(year: i32) -> String {
        let mut parameters = rcgen::CertificateParams::new(vec!["as2.example".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(year, 3, 1);
        parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn a_chain_ends_with_its_first_link() {
        let (one, other) = (certificate(2030), certificate(2027));
        let end = |text: &str| not_after(text.as_bytes()).map(|until| until.format("%F").to_string());
        assert_eq!(end(&one), Some("2030-03-01".into()));
        assert_eq!(end(&format!("subject=as2\n{one}{other}")), Some("2027-03-01".into()));
        for unreadable in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert_eq!(end(unreadable), None, "{unreadable}");
        }
        assert_eq!(end(&format!("{one}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), None);
    }

    #[test]
    fn a_chain_that_is_none_or_over_is_pointed_out() {
        let now = "2028-01-01T00:00:00Z".parse().unwrap();
        assert!(warning(b"hunter2", now).is_some_and(|said| said.contains("PEM")));
        assert!(warning(certificate(2027).as_bytes(), now).is_some_and(|said| said.contains("2027")));
        assert_eq!(warning(certificate(2030).as_bytes(), now), None);
    }
}
