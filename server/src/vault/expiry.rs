//! When a value ends by its own date: read from what it is, not typed beside it.
use super::envelope::Payload;
use app::{catalog::model::Kind, time::Moment};
use chrono::{DateTime, TimeDelta};
use x509_parser::{parse_x509_certificate, pem::Pem};

/// How long before its end those who own a value in use are told.
const AHEAD: TimeDelta = TimeDelta::days(14);

/// Until when a value works: notAfter (RFC 5280, 4.1.2.5) of the first certificate of its chain, which is the one that its key
/// belongs to (RFC 8446, 4.4.2). A link above it may end earlier and another stand in for it. `None`: it has no date, or none
/// that can be read.
pub fn of(kind: Kind, payload: &Payload) -> Option<Moment> {
    if kind != Kind::Certificate {
        return None;
    }
    let (_, chain) = payload.fields().find(|(name, _)| *name == "chain")?;
    not_after(chain)
}

/// notAfter of the first certificate in a PEM text. What is beside it is left aside.
pub fn not_after(chain: &[u8]) -> Option<Moment> {
    let blocks = Pem::iter_from_buffer(chain).map_while(Result::ok);
    let block = blocks.into_iter().find(|block| block.label == "CERTIFICATE")?;
    let (_, certificate) = parse_x509_certificate(&block.contents).ok()?;
    DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)
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
    fn a_chain_ends_with_the_certificate_that_its_key_is_of() {
        let (one, other) = (certificate(2030), certificate(2027));
        let end = |text: &str| not_after(text.as_bytes()).map(|until| until.format("%F").to_string());
        assert_eq!(end(&one), Some("2030-03-01".into()));
        assert_eq!(end(&format!("subject=as2\n{one}{other}")), Some("2030-03-01".into()), "not with a link above it");
        for unreadable in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert_eq!(end(unreadable), None, "{unreadable}");
        }
        assert_eq!(end(&format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{one}")), None);
    }

    #[test]
    fn a_chain_that_is_none_or_over_is_pointed_out() {
        let now = "2028-01-01T00:00:00Z".parse().unwrap();
        assert!(warning(b"hunter2", now).is_some_and(|said| said.contains("PEM")));
        assert!(warning(certificate(2027).as_bytes(), now).is_some_and(|said| said.contains("2027")));
        assert_eq!(warning(certificate(2030).as_bytes(), now), None);
    }
}
