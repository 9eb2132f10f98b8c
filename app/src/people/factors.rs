//! Second factors that people enrol here, and what counts as one code of theirs.
use chrono::TimeDelta;

/// How long a question stays open: one act, on exactly what was sent, once.
pub const OPEN: TimeDelta = TimeDelta::minutes(2);
/// How long after signing in a first factor may be enrolled: a session that somebody left open is not enough.
pub const FRESH: TimeDelta = TimeDelta::minutes(15);
/// Recovery codes that are made together.
pub const CODES: usize = 10;
/// Factors of one person, beside recovery codes.
pub const MOST: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A key pair in a device, unlocked by its owner (WebAuthn).
    Passkey,
    /// A shared secret in an app that shows a code every half minute (TOTP, RFC 6238).
    Authenticator,
    /// Codes on paper, each for once.
    Recovery,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Passkey, Self::Authenticator, Self::Recovery];

    pub fn code(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Authenticator => "authenticator",
            Self::Recovery => "recovery",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Passkey => "Passkey",
            Self::Authenticator => "Authenticator app",
            Self::Recovery => "Recovery codes",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Can it be what makes somebody a decider? Paper alone cannot.
    pub fn stands_alone(self) -> bool {
        self != Self::Recovery
    }
}

/// What somebody typed, in its one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Six digits of an authenticator.
    Digits(String),
    /// Sixteen letters and digits of a recovery code.
    Recovery(String),
}

/// Reads a code as people type it: with spaces and hyphens, in either case.
pub fn typed(text: &str) -> Option<Typed> {
    let mut code = String::new();
    for letter in text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-') {
        // Nothing that is longer than any code is worth reading to its end.
        if !letter.is_ascii_alphanumeric() || code.len() == 16 {
            return None;
        }
        code.push(letter.to_ascii_lowercase());
    }
    match code.len() {
        6 if code.bytes().all(|byte| byte.is_ascii_digit()) => Some(Typed::Digits(code)),
        16 => Some(Typed::Recovery(code)),
        _ => None,
    }
}

/// A recovery code as it is printed: `abcd-efgh-ijkl-mnop`.
pub fn grouped(code: &str) -> String {
    code.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_type_them() {
        assert_eq!(typed(" 123 456 "), Some(Typed::Digits("123456".into())));
        assert_eq!(typed("ABCD-efgh-2345-mnop"), Some(Typed::Recovery("abcdefgh2345mnop".into())));
        for bad in [
            "",
            "12345",
            "1234567",
            "12345a",
            "abcd-efgh-2345-mno",
            "abcd-efgh-2345-mnopq",
            "１２３４５６",
            "12345\u{0}",
        ] {
            assert_eq!(typed(bad), None, "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_is_what_is_read(code in "[a-z2-7]{16}") {
            proptest::prop_assert_eq!(typed(&grouped(&code)), Some(Typed::Recovery(code)));
        }

        #[test]
        fn nothing_is_two_codes(text in "\\PC{0,40}") {
            if let Some(Typed::Digits(code) | Typed::Recovery(code)) = typed(&text) {
                proptest::prop_assert!(code.is_ascii() && typed(&code).is_some());
            }
        }
    }
}
