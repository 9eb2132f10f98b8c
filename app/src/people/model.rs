//! Names and logins in their one canonical form; how long somebody stays signed in.
use crate::policies::model::Role;
use chrono::TimeDelta;

/// How long a session lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// However busy it is.
    pub longest: TimeDelta,
    /// Without a request.
    pub idle: TimeDelta,
}

/// The more somebody could do, the shorter: half of everybody’s time for whoever administers or is of security.
pub fn session_limits(organisation: &[Role]) -> Limits {
    if organisation.contains(&Role::Admin) || organisation.contains(&Role::Security) {
        Limits { longest: TimeDelta::hours(4), idle: TimeDelta::minutes(30) }
    } else {
        Limits { longest: TimeDelta::hours(8), idle: TimeDelta::hours(1) }
    }
}

/// A sign-in name: lower-case ASCII letters, digits, `.`, `_` and `-`, 1 to 63 characters, beginning with a letter.
/// There is one spelling, so there are no look-alikes.
pub fn login(text: &str) -> Result<String, &'static str> {
    let text = text.trim().to_ascii_lowercase();
    let fits = (1..=63).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte));
    if fits {
        Ok(text)
    } else {
        Err("Lower-case letters, digits, dot, underscore and hyphen; a letter first; at most 63.")
    }
}

/// A slug: `[a-z0-9][a-z0-9-]{0,62}`.
pub fn slug(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let fits = (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits { Ok(text.to_owned()) } else { Err("Lower-case letters, digits and hyphens; at most 63; no hyphen first.") }
}

/// A name that people read: 1 to 200 characters, no control, bidirectional or invisible ones.
pub fn display(text: &str) -> Result<String, &'static str> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return Err("This is needed.");
    }
    line(&text, 200)
}

/// One line of free text of at most `most` characters.
pub fn line(text: &str, most: usize) -> Result<String, &'static str> {
    if text.chars().count() > most {
        return Err(if most == 200 { "At most 200 characters." } else { "This is too long." });
    }
    if text.chars().any(is_hidden) {
        return Err("No control characters and no invisible ones.");
    }
    Ok(text.trim().to_owned())
}

/// Free text with line breaks.
pub fn prose(text: &str, most: usize) -> Result<String, &'static str> {
    let text = text.replace("\r\n", "\n");
    if text.chars().count() > most {
        return Err("This is too long.");
    }
    if text.chars().any(|letter| is_hidden(letter) && letter != '\n' && letter != '\t') {
        return Err("No control characters and no invisible ones.");
    }
    Ok(text.trim().to_owned())
}

/// Control, bidirectional and zero-width characters: what could make one text look like another.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'
                ..='\u{180f}'
        )
        || matches!(letter, '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}')
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_has_one_spelling() {
        assert_eq!(login(" Mara.Lindqvist "), Ok("mara.lindqvist".into()));
        for bad in ["", "1st", "мара", "ma ra", "mara\u{200b}", &"a".repeat(64), "-a"] {
            assert!(login(bad).is_err(), "{bad:?}");
        }
    }

    proptest::proptest! {
        /// Whatever is typed: one canonical form, which is its own, and which no other visible spelling shares.
        #[test]
        fn a_canonical_login_is_ascii_and_canonical(text in "\\PC{0,70}", around in "[ \\t]{0,3}") {
            if let Ok(canonical) = login(&text) {
                proptest::prop_assert!(canonical.is_ascii() && canonical == canonical.to_ascii_lowercase());
                proptest::prop_assert_eq!(login(&canonical), Ok(canonical.clone()));
                proptest::prop_assert_eq!(login(&format!("{around}{}{around}", text.to_ascii_uppercase())), Ok(canonical));
            }
        }

        /// A letter that is not plain ASCII, wherever it stands, never becomes somebody's name.
        #[test]
        fn no_look_alike_is_a_login(base in "[a-z][a-z0-9._-]{0,20}", at in 0_usize..20, odd in "[^\\x00-\\x7f]") {
            let at = at.min(base.len());
            let mixed = format!("{}{odd}{}", &base[..at], &base[at..]);
            // White space of any script around a name is no part of it.
            proptest::prop_assert!(login(&mixed).is_err() || mixed.trim() == base, "{:?}", mixed);
        }

        /// A group is compared as the provider writes it: what is kept differs from what came by nothing but space around.
        #[test]
        fn a_group_is_never_another_one(text in "\\PC{0,40}") {
            if let Ok(kept) = crate::people::provider::group(&text) {
                proptest::prop_assert_eq!(kept.as_str(), text.trim());
                proptest::prop_assert_eq!(crate::people::provider::group(&kept), Ok(kept.clone()));
            }
        }

        /// Whatever a provider calls somebody: a login in its one form, and never one that is taken.
        #[test]
        fn a_wished_name_never_takes_anothers(wished in "\\PC{0,80}", taken in proptest::collection::btree_set("[a-z][a-z0-9-]{0,8}", 0..6)) {
            let free = crate::people::provider::free_login(&wished, |name| taken.contains(name)).unwrap();
            proptest::prop_assert!(!taken.contains(&free));
            proptest::prop_assert_eq!(login(&free), Ok(free.clone()));
        }
    }

    #[test]
    fn slugs_and_names() {
        assert_eq!(slug("payments-2"), Ok("payments-2".into()));
        for bad in ["", "-a", "A", "a_b", "a/b", "..", &"a".repeat(64)] {
            assert!(slug(bad).is_err(), "{bad:?}");
        }
        assert_eq!(display("  Anneliese   von Hohenberg "), Ok("Anneliese von Hohenberg".into()));
        for bad in ["", "a\u{202e}b", "a\u{0}b", "\u{3164}", "\u{ad}", "\u{2800}", "\u{61c}x", &"é".repeat(201)] {
            assert!(display(bad).is_err(), "{bad:?}");
        }
        assert!(display(&"é".repeat(200)).is_ok());
        assert_eq!(prose("a\r\nb", 10), Ok("a\nb".into()));
    }
}
