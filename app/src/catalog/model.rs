//! Paths, kinds of secret, fields and values in the form that is accepted.
use crate::{levels::model::Level, policies::model::words, time::Moment};
use chrono::TimeDelta;

words! {
    /// What a secret is. Some kinds fix the fields that a value has.
    Kind {
        Password = "password", "password";
        ApiKey = "api-key", "API key";
        Database = "database", "database account";
        Certificate = "certificate", "certificate";
        SshKey = "ssh-key", "SSH key";
        Opaque = "opaque", "opaque";
    }
}

words! {
    /// What is known of the end of a version's credential: it is not handed out any more, and knowing it opens nothing.
    Death {
        /// Refused wherever it was used, while its successor was accepted.
        Proved = "proved", "proved dead";
        /// Somebody says so, by name.
        Attested = "attested", "attested";
        /// Its own date passed: a certificate's notAfter, a role's `VALID UNTIL`.
        Expired = "expired", "expired";
        /// Made by a rotation that went back to the value before, and taken from the target again, if it ever was there.
        Withdrawn = "withdrawn", "withdrawn";
    }
}

impl Kind {
    /// The fields that every value of this kind has.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Database => &["username", "password"],
            Self::Certificate => &["chain", "key"],
            _ => &["value"],
        }
    }
}

/// A path: segments of `[A-Za-z0-9._-]{1,128}` with `/` between them, at most 512, none of them `.` or `..`.
pub fn path(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("This is needed.");
    }
    if text.len() > 512 {
        return Err("At most 512 characters.");
    }
    let segment = |segment: &str| {
        (1..=128).contains(&segment.len())
            && segment != "."
            && segment != ".."
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if text.split('/').all(segment) {
        Ok(text.to_owned())
    } else {
        Err("Letters, digits, dot, underscore and hyphen; / between parts; no empty part, no part . or ..")
    }
}

/// The path without regard to case: unique in its environment.
pub fn folded(path: &str) -> String {
    path.to_ascii_lowercase()
}

/// Limits of a version's payload.
pub const MOST_FIELDS: usize = 64;
pub const LONGEST_FIELD: usize = 64 * 1024;
pub const LONGEST_PAYLOAD: usize = 256 * 1024;

/// A field's name in a payload.
pub fn field_name(text: &str) -> Result<String, &'static str> {
    let fits = (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if fits { Ok(text.to_owned()) } else { Err("Letters, digits, dot, underscore and hyphen; at most 128.") }
}

/// What somebody should look at before storing a value; it is stored as it is all the same.
pub fn warning(value: &[u8]) -> Option<&'static str> {
    if value.is_empty() {
        return Some("It is empty.");
    }
    if value.first().is_some_and(u8::is_ascii_whitespace) || value.last().is_some_and(u8::is_ascii_whitespace) {
        return Some("It begins or ends with white space or a line break.");
    }
    None
}

/// A version's age against the limit of its protection level, in days.
pub fn age(written: Moment, now: Moment, level: &Level) -> (i64, i64) {
    ((now - written).num_days(), level.rotate_days)
}

/// How long a version in production waits between asking for its destruction and destroying it.
pub const DESTRUCTION_WAIT: TimeDelta = TimeDelta::days(7);

/// May a version be destroyed by now? Who asked for it, if it may: in production it takes another one.
pub fn destroyable(
    asked_by: Option<&str>,
    not_before: Option<Moment>,
    now: Moment,
) -> Result<&str, crate::error::Refusal> {
    let asked = asked_by.zip(not_before).filter(|(_, not_before)| now >= *not_before);
    asked.map(|(by, _)| by).ok_or(crate::error::Refusal::TooEarly)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Refusal;

    #[test]
    fn a_path_has_one_spelling() {
        for good in ["a", "db/settlement-primary", "Bank/SEPA_key.v2", &"a".repeat(128)] {
            assert_eq!(path(good), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "/",
            "a//b",
            "/a",
            "a/",
            "..",
            "a/../b",
            "./a",
            "a/.",
            "a b",
            "a%2fb",
            "ä",
            "a\\b",
            "a\0b",
            &"a".repeat(129),
            &"a/".repeat(300),
        ] {
            assert!(path(bad).is_err(), "{bad:?}");
        }
        assert_eq!(folded("DB/Key"), "db/key");
    }

    #[test]
    fn odd_values_are_pointed_out() {
        assert!(warning(b"secret\n").is_some());
        assert!(warning(b" secret").is_some());
        assert!(warning(b"").is_some());
        assert!(warning(b"sec ret").is_none());
    }

    #[test]
    fn destruction_waits() {
        let now = Moment::default();
        let later = now + DESTRUCTION_WAIT;
        assert_eq!(destroyable(None, None, later), Err(Refusal::TooEarly));
        assert_eq!(destroyable(Some("a"), Some(later), now), Err(Refusal::TooEarly));
        assert_eq!(destroyable(Some("a"), Some(later), later), Ok("a"));
    }
}
