//! What a text that many people read may not hold: what has the form of a secret, and which parts of it could be one.
use std::collections::BTreeSet;

/// How tokens of well-known services and of this one begin.
const PREFIXES: [&str; 34] = [
    "csc_",
    "cst_",
    "csp_",
    "csl_",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxs-",
    "xapp-",
    "sk_live_",
    "rk_live_",
    "sk-ant-",
    "sk-proj-",
    "npm_",
    "pypi-",
    "dop_v1_",
    "hvs.",
    "hvb.",
    "SG.",
    "shpat_",
    "lin_api_",
    "whsec_",
];
/// So many letters behind a beginning make a token of it, or so few with a digit among them.
const LEAST: usize = 12;
const FEW: usize = 4;
/// Words in one row that are looked at together: passphrases have spaces.
const ROW: usize = 8;
/// Parts of one word that are looked at together: generated values have signs.
const PARTS: usize = 12;
/// A longer word is no address that people type: it is looked at as a whole.
const WORD: usize = 600;

fn is_part(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.')
}

/// Beginnings that no ordinary word has in its middle: `-ucsp_…`, `xghp_…`. Enough letters behind them make a token wherever they stand.
fn stands_inside(text: &str) -> bool {
    let exact = PREFIXES.iter().filter(|prefix| prefix.ends_with(['_', '-']));
    exact.flat_map(|prefix| text.match_indices(prefix)).any(|(at, prefix)| {
        let rest = text[at + prefix.len()..].split(|letter| !is_part(letter)).next().unwrap_or_default();
        rest.len() >= LEAST && rest.bytes().any(|byte| byte.is_ascii_digit())
    })
}

/// Does a text hold what has the form of a secret?
pub fn looks_secret(text: &str) -> bool {
    text.contains("-----BEGIN")
        || stands_inside(text)
        || text.split(|letter| !is_part(letter)).any(|word| {
            let known = PREFIXES
                .iter()
                .filter_map(|prefix| word.strip_prefix(prefix))
                .any(|rest| rest.len() >= LEAST || rest.len() >= FEW && rest.bytes().any(|byte| byte.is_ascii_digit()));
            // A JSON Web Token.
            known || word.len() > 40 && word.starts_with("eyJ") && word.matches('.').count() == 2
        })
}

/// What one word could hold: each part of it that begins and ends where letters and signs meet. Connection strings, addresses and
/// commands carry a value so.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    // `-pVALUE` is how a program is given a password.
    let option = word.strip_prefix('-').and_then(|rest| rest.get(1..)).filter(|rest| !rest.is_empty());
    let mut ends: Vec<usize> = vec![0];
    let mut before: Option<bool> = None;
    for (at, letter) in word.char_indices() {
        let now = letter.is_alphanumeric();
        // Each sign is an end of its own.
        if before.is_some_and(|before| before != now || !now) {
            ends.push(at);
        }
        before = Some(now);
    }
    ends.push(word.len());
    let spans: Vec<(usize, usize)> = (0..ends.len())
        .flat_map(|first| (first + 1..ends.len().min(first + PARTS)).map(move |last| (first, last)))
        .map(|(first, last)| (ends[first], ends[last]))
        .collect();
    spans.into_iter().map(|(first, last)| &word[first..last]).chain(option)
}

/// The parts of a text that could be a value: words, what stands between signs, and rows of words as they were typed.
pub fn phrases(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    found.insert(text.trim());
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        for first in 0..words.len() {
            for last in first..words.len().min(first + ROW) {
                // All of them lie in this line: from where the first begins to where the last ends.
                let begin = words[first].as_ptr() as usize - line.as_ptr() as usize;
                let end = words[last].as_ptr() as usize - line.as_ptr() as usize + words[last].len();
                let row = &line[begin..end];
                found.insert(row);
                found.insert(row.trim_matches(|letter: char| "\"'`()[]{}<>,;:.!?".contains(letter)));
            }
        }
        found.extend(line.split(|letter: char| letter.is_whitespace() || "\"'`()[]{}<>,;:=".contains(letter)));
        found.extend(words.into_iter().filter(|word| word.len() <= WORD).flat_map(parts));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_recognised_and_talk_of_them_is_not() {
        for secret in [
            "it is csp_0123456789abcdef0123",
            "key=AKIAIOSFODNN7EXAMPLE",
            "AKIA0000",
            "curl -ucsp_0123456789abcdef0123:",
            "xghp_0123456789abcdef",
            "-----BEGIN PRIVATE KEY-----",
            "(glpat-0123456789abcdefghij)",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLXdpdGgtbGVuZ3Ro",
        ] {
            assert!(looks_secret(secret), "{secret}");
        }
        for talk in [
            "TASK-12: rotate",
            "we use csc_ secrets",
            "the risk-averse",
            "npm_config",
            "my_npm_configuration",
            "EURASIA2024",
            "MSG.1234",
            "SG. is a country",
        ] {
            assert!(!looks_secret(talk), "{talk}");
        }
    }

    #[test]
    fn every_way_to_mention_a_value_is_a_phrase() {
        for text in [
            "hunter2!x",
            "it is hunter2!x",
            "password=hunter2!x",
            "(\"hunter2!x\")",
            "was hunter2!x, then",
            "a\nhunter2!x\nb",
            "postgres://app:hunter2!x@host/db",
            "https://h/x?token=hunter2!x&y=1",
            "mysql -phunter2!x",
            "**hunter2!x**",
            "a/hunter2!x/b",
            "u|hunter2!x|x",
            "-hunter2!x-",
            "hunter2!x#c",
            "$hunter2!x",
            "hunter2!x%",
        ] {
            assert!(phrases(text).contains("hunter2!x"), "{text}");
        }
        assert!(phrases("it was four ordinary words here, I think").contains("four ordinary words here"));
        assert!(phrases("").len() <= 1);
    }
}
