//! The language in which the trail is asked: one grammar for the page, the API, the command line, saved views and exports.
//!
//! ```text
//! query = { term }                       terms of one key: or; of different keys: and
//! term  = [ "-" ] ( key ":" text | text )      "-" excludes
//! text  = letters without space, or "…" with \" and \\ inside
//! ```
//!
//! A text without a key is looked for in names, paths, reasons and comments: each of its words has to be there, by its
//! beginning. What the values mean is found out where the database is; here is only what can be said without it.
mod window;

pub use window::{Edge, Window};

use crate::policies::model::words;
use std::fmt;

/// No query is longer, in characters.
pub const LONGEST: usize = 2_000;
/// No query looks for more free words.
pub const MOST_WORDS: usize = 20;
/// No query has more terms.
pub const MOST_TERMS: usize = 40;

words! {
    /// What can be asked for.
    Key {
        Action = "action", "what happened: secret.revealed, secret.*, revealed";
        Actor = "actor", "who did it: a login, a workload, system, or me";
        ActorType = "actor-type", "person, workload, system or anonymous";
        Project = "project", "a project's short name";
        Env = "env", "an environment's short name, or a protection level";
        Secret = "secret", "a path, a path with * at its end, or an id";
        Outcome = "outcome", "allowed, refused or failed";
        Reason = "reason", "the code of a refusal: no_grant, wrong_credentials";
        Ip = "ip", "an address, or its beginning with * behind";
        Workload = "workload", "a workload that acted, or that it was done to";
        Person = "person", "a person that it was done to: a login";
        Request = "request", "a request's id";
        Grant = "grant", "a grant's id";
        Policy = "policy", "the id of the rule that decided";
        Session = "session", "the id of a session or token";
        Row = "row", "the id of anything else: a rotation, a case, a role, a token";
        Event = "event", "an event's number, or two with .. between";
        Created = "created", "when: 2026-11-01..2026-11-30, 2026-11-24, today, 7d, 24h";
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    pub negated: bool,
    /// `None`: free words.
    pub key: Option<Key>,
    pub value: String,
    /// Where it begins and ends in the text, in characters.
    pub at: usize,
    pub end: usize,
}

/// What is wrong with a query, and where: in characters from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub at: usize,
    pub end: usize,
    pub why: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "At character {}: {}", self.at + 1, self.why)
    }
}

impl Term {
    /// A mistake about this term.
    pub fn wrong(&self, why: impl Into<String>) -> Mistake {
        Mistake { at: self.at, end: self.end, why: why.into() }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pub terms: Vec<Term>,
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_str("-")?;
        }
        if let Some(key) = self.key {
            write!(f, "{}:", key.code())?;
        }
        let bare = !self.value.is_empty()
            && !self.value.contains(|letter: char| letter.is_whitespace() || letter == '"' || letter == '\\')
            && (self.key.is_some() || !self.value.starts_with('-') && !self.value.contains(':'));
        if bare {
            return f.write_str(&self.value);
        }
        write!(f, "\"{}\"", self.value.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

impl fmt::Display for Query {
    /// The one spelling of this query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, term) in self.terms.iter().enumerate() {
            write!(f, "{}{term}", if place > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

impl Query {
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let letters: Vec<char> = text.chars().take(LONGEST + 1).collect();
        if letters.len() > LONGEST {
            let why = format!("A query has at most {LONGEST} characters.");
            return Err(Mistake { at: LONGEST, end: LONGEST, why });
        }
        let mut terms: Vec<Term> = Vec::new();
        let mut at = 0;
        while at < letters.len() {
            if letters[at].is_whitespace() {
                at += 1;
                continue;
            }
            let (term, end) = term(&letters, at)?;
            if !terms
                .iter()
                .any(|known| (known.negated, known.key, &known.value) == (term.negated, term.key, &term.value))
            {
                terms.push(term);
            }
            if terms.len() > MOST_TERMS {
                return Err(Mistake { at, end, why: format!("A query has at most {MOST_TERMS} terms.") });
            }
            let words =
                terms.iter().filter(|term| term.key.is_none()).flat_map(|term| split_words(&term.value)).count();
            if words > MOST_WORDS {
                return Err(Mistake { at, end, why: format!("A query looks for at most {MOST_WORDS} words.") });
            }
            at = end;
        }
        Ok(Self { terms })
    }

    /// The same query with one more term.
    pub fn with(&self, negated: bool, key: Key, value: &str) -> Self {
        let mut terms = self.terms.clone();
        let term = Term { negated, key: Some(key), value: value.to_owned(), at: 0, end: 0 };
        if !terms.iter().any(|known| (known.negated, known.key, &known.value) == (negated, term.key, &term.value)) {
            terms.push(term);
        }
        Self { terms }
    }

    /// The same query without one of its terms.
    pub fn without(&self, place: usize) -> Self {
        let mut terms = self.terms.clone();
        if place < terms.len() {
            terms.remove(place);
        }
        Self { terms }
    }

    /// The same query with nothing said about a key.
    pub fn without_key(&self, key: Key) -> Self {
        Self { terms: self.terms.iter().filter(|term| term.key != Some(key)).cloned().collect() }
    }

    pub fn of(&self, key: Key) -> impl Iterator<Item = &Term> {
        self.terms.iter().filter(move |term| term.key == Some(key))
    }

    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

/// Reads one term; returns where it ends.
fn term(letters: &[char], start: usize) -> Result<(Term, usize), Mistake> {
    let negated = letters[start] == '-' && letters.get(start + 1).is_some_and(|next| !next.is_whitespace());
    let begin = if negated { start + 1 } else { start };
    let name: String =
        letters[begin..].iter().take_while(|letter| letter.is_ascii_alphabetic() || **letter == '-').collect();
    let colon = begin + name.chars().count();
    let key = if letters.get(colon) == Some(&':') && !name.is_empty() {
        let known = Key::from_code(&name.to_ascii_lowercase());
        let known = known.ok_or_else(|| Mistake { at: begin, end: colon, why: unknown_key(&name) })?;
        Some(known)
    } else {
        None
    };
    let from = if key.is_some() { colon + 1 } else { begin };
    let (value, end) = value(letters, from)?;
    let at = start;
    let mistake = |why: &str| Mistake { at, end, why: why.to_owned() };
    if value.trim().is_empty() {
        return Err(mistake(if key.is_some() {
            "A value is missing after the colon."
        } else {
            "There is nothing between the quotes."
        }));
    }
    if value.contains(char::is_control) {
        return Err(mistake("This has a character that cannot be searched for."));
    }
    if key.is_none() && value.contains(':') && letters.get(from) != Some(&'"') {
        return Err(mistake("Put a text with a colon between quotes, or begin it with a key."));
    }
    if key.is_none() && split_words(&value).next().is_none() {
        return Err(mistake("Words have letters or digits."));
    }
    Ok((Term { negated, key, value, at, end }, end))
}

fn value(letters: &[char], from: usize) -> Result<(String, usize), Mistake> {
    if letters.get(from) != Some(&'"') {
        let bare: String = letters[from..].iter().take_while(|letter| !letter.is_whitespace()).collect();
        if let Some(quote) = bare.chars().position(|letter| letter == '"' || letter == '\\') {
            let at = from + quote;
            return Err(Mistake { at, end: at + 1, why: "A quote or backslash stands between quotes only.".into() });
        }
        let end = from + bare.chars().count();
        return Ok((bare, end));
    }
    let (mut value, mut at) = (String::new(), from + 1);
    loop {
        match letters.get(at) {
            None => return Err(Mistake { at: from, end: letters.len(), why: "This quote is not closed.".into() }),
            Some('"') => break,
            Some('\\') => match letters.get(at + 1) {
                Some(next @ ('"' | '\\')) => {
                    value.push(*next);
                    at += 2;
                }
                _ => {
                    return Err(Mistake {
                        at,
                        end: at + 1,
                        why: "After a backslash comes a quote or a backslash.".into(),
                    });
                }
            },
            Some(letter) => {
                value.push(*letter);
                at += 1;
            }
        }
    }
    match letters.get(at + 1) {
        Some(next) if !next.is_whitespace() => {
            Err(Mistake { at: at + 1, end: at + 2, why: "A space is missing after the closing quote.".into() })
        }
        _ => Ok((value, at + 1)),
    }
}

fn unknown_key(name: &str) -> String {
    match nearest(&name.to_ascii_lowercase(), Key::ALL.iter().map(|key| key.code())) {
        Some(near) => format!("There is no key {name}. Did you mean {near}?"),
        None => format!("There is no key {name}."),
    }
}

/// The one of some names that a mistyped one is likeliest to be.
pub fn nearest<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    names
        .map(|name| (distance(typed, name), name))
        .filter(|(far, name)| *far <= 2 && *far < name.chars().count().max(2) - 1 || name.starts_with(typed))
        .min()
        .map(|(_, name)| name)
}

/// How many letters have to be put in, taken out or replaced (Levenshtein 1965).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, against) in other.iter().enumerate() {
            let kept = diagonal + usize::from(letter != *against);
            diagonal = row[j + 1];
            row[j + 1] = kept.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

/// The longest word that is kept for searching.
pub const LONGEST_WORD: usize = 64;

/// The words of a text as they are searched: runs of letters and digits, in lower case.
pub fn split_words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().flat_map(char::to_lowercase).take(LONGEST_WORD).collect())
}

/// What stands at a cursor, to be completed: from where to where it is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub start: usize,
    pub end: usize,
    pub key: Option<Key>,
    /// What is typed of it so far.
    pub typed: String,
}

/// The part of a text that the cursor (in characters) is in.
pub fn part_at(text: &str, cursor: usize) -> Part {
    let letters: Vec<char> = text.chars().take(LONGEST).collect();
    let cursor = cursor.min(letters.len());
    let mut start = cursor;
    while start > 0 && !letters[start - 1].is_whitespace() {
        start -= 1;
    }
    if letters.get(start) == Some(&'-') && start < cursor {
        start += 1;
    }
    let end = cursor + letters[cursor..].iter().take_while(|letter| !letter.is_whitespace()).count();
    let typed: String = letters[start..cursor].iter().collect();
    match typed.split_once(':') {
        Some((name, rest)) if let Some(key) = Key::from_code(name) => {
            let start = start + name.chars().count() + 1;
            Part { start, end, key: Some(key), typed: rest.trim_start_matches('"').to_owned() }
        }
        _ => Part { start, end, key: None, typed },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape(text: &str) -> Vec<(bool, Option<Key>, String)> {
        let query = Query::parse(text).unwrap();
        query.terms.into_iter().map(|term| (term.negated, term.key, term.value)).collect()
    }

    fn wrong(text: &str) -> (usize, String) {
        let mistake = Query::parse(text).unwrap_err();
        (mistake.at, mistake.why)
    }

    #[test]
    fn terms_are_keys_values_and_words() {
        assert_eq!(
            shape("project:payments -actor:system \"two words\" PATH db/settlement created:2026-01-01..2026-02-01"),
            [
                (false, Some(Key::Project), "payments".into()),
                (true, Some(Key::Actor), "system".into()),
                (false, None, "two words".into()),
                (false, None, "PATH".into()),
                (false, None, "db/settlement".into()),
                (false, Some(Key::Created), "2026-01-01..2026-02-01".into()),
            ]
        );
        assert_eq!(shape("secret:\"a \\\"b\\\" c\""), [(false, Some(Key::Secret), "a \"b\" c".into())]);
        assert_eq!(shape("ip:10.0.0.1 ip:10.0.0.1").len(), 1, "said twice is said once");
        assert_eq!(shape("  \t\n "), []);
    }

    #[test]
    fn mistakes_point_at_their_character() {
        assert_eq!(wrong("outcome:refused acter:x"), (16, "There is no key acter. Did you mean actor?".into()));
        assert_eq!(wrong("a zzzz:x").1, "There is no key zzzz.");
        assert_eq!(wrong("ümlaut actor:").0, 7, "in characters, not bytes");
        assert_eq!(wrong("say \"unclosed").0, 4);
        assert_eq!(wrong("\"a\"b").0, 3);
        assert_eq!(wrong("ab\"c").0, 2);
        assert_eq!(wrong("\"\\n\"").0, 1);
        assert_eq!(wrong("10:30").1, "Put a text with a colon between quotes, or begin it with a key.");
        assert_eq!(wrong("-").1, "Words have letters or digits.");
        assert_eq!(wrong("a\u{7}b").0, 0);
        assert_eq!(wrong(&"x".repeat(100_000)).0, LONGEST);
        assert_eq!(wrong(&format!("\"{}\"", "ab ".repeat(30))).1, "A query looks for at most 20 words.");
        let many: String = (0..60).map(|n| format!("ip:10.0.0.{n} ")).collect();
        assert!(wrong(&many).1.contains("at most 40 terms"));
    }

    #[test]
    fn words_are_lower_case_runs() {
        let words: Vec<String> = split_words("db/Settlement-Primary.v2 — „Größe“").collect();
        assert_eq!(words, ["db", "settlement", "primary", "v2", "größe"]);
        assert_eq!(split_words(&"x".repeat(100)).next().unwrap().len(), LONGEST_WORD);
    }

    #[test]
    fn a_cursor_is_in_a_key_or_a_value() {
        let at = |text: &str| part_at(text, text.chars().count());
        assert_eq!(at("proj"), Part { start: 0, end: 4, key: None, typed: "proj".into() });
        assert_eq!(at("x -act"), Part { start: 3, end: 6, key: None, typed: "act".into() });
        assert_eq!(at("-actor:ir"), Part { start: 7, end: 9, key: Some(Key::Actor), typed: "ir".into() });
        assert_eq!(part_at("actor:iris project:x", 8).end, 10, "the rest of the word is replaced as well");
        assert_eq!(part_at("", 900), Part { start: 0, end: 0, key: None, typed: String::new() });
    }

    #[test]
    fn chips_edit_the_same_text() {
        let query = Query::parse("project:payments \"a b\"").unwrap();
        assert_eq!(query.with(true, Key::Actor, "system").to_string(), "project:payments \"a b\" -actor:system");
        assert_eq!(query.with(false, Key::Project, "payments").to_string(), query.to_string());
        assert_eq!(query.without(0).to_string(), "\"a b\"");
        assert_eq!(query.without_key(Key::Project).to_string(), "\"a b\"");
    }

    /// Whatever the text: an answer, inside the text, and one spelling.
    fn any_text(text: &str) {
        match Query::parse(text) {
            Ok(query) => {
                let again = Query::parse(&query.to_string()).unwrap();
                let bare = |query: &Query| -> Vec<_> {
                    query.terms.iter().map(|term| (term.negated, term.key, term.value.clone())).collect()
                };
                assert_eq!(bare(&again), bare(&query));
            }
            Err(mistake) => assert!(mistake.at <= mistake.end && mistake.end <= text.chars().count().max(LONGEST)),
        }
        for cursor in [0, 1, text.chars().count(), usize::MAX] {
            let part = part_at(text, cursor);
            assert!(part.start <= part.end);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in any::<String>()) {
            any_text(&text);
        }

        #[test]
        fn likely_texts_are_answered(text in "(-?(actor|ip|created|secret|x)?:?\"?[a-z0-9 .*\\\\/-]{0,8}\"? ?){0,6}") {
            any_text(&text);
        }
    }
}
