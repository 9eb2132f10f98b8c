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

fn is_part(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.')
}

/// Does a text hold what has the form of a secret?
pub fn looks_secret(text: &str) -> bool {
    text.contains("-----BEGIN")
        || text.split(|letter| !is_part(letter)).any(|word| {
            let known = PREFIXES
                .iter()
                .filter_map(|prefix| word.strip_prefix(prefix))
                .any(|rest| rest.len() >= LEAST || rest.len() >= FEW && rest.bytes().any(|byte| byte.is_ascii_digit()));
            // A JSON Web Token.
            known || word.len() > 40 && word.starts_with("eyJ") && word.matches('.').count() == 2
        })
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
            "-----BEGIN PRIVATE KEY-----",
            "(glpat-0123456789abcdefghij)",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLXdpdGgtbGVuZ3Ro",
        ] {
            assert!(looks_secret(secret), "{secret}");
        }
        for talk in ["TASK-12: rotate", "we use csc_ secrets", "the risk-averse", "npm_config", "SG. is a country"] {
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
        ] {
            assert!(phrases(text).contains("hunter2!x"), "{text}");
        }
        assert!(phrases("it was four ordinary words here, I think").contains("four ordinary words here"));
        assert!(phrases("").len() <= 1);
    }
}
