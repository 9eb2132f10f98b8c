//! Fuzz targets: the trail's language and the reader of evidence. As ordinary tests they run their corpora (`__fuzz__`) and
//! random inputs for a second; `cargo xtask fuzz` runs them for longer. Whatever is given: an answer, never a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use app::audit::{
    evidence::verify,
    query::{Query, part_at},
};
use bolero::check;

/// Whatever the text: an answer, or a mistake that is somewhere; and one spelling.
#[test]
fn query() {
    check!().for_each(|input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        let length = text.chars().count();
        match Query::parse(&text) {
            Ok(query) => {
                let said = query.to_string();
                let again = Query::parse(&said).expect("what is written is read");
                assert_eq!(again.to_string(), said);
                assert_eq!(again.terms.len(), query.terms.len());
            }
            Err(mistake) => assert!(mistake.at <= mistake.end, "{mistake:?}"),
        }
        for cursor in [0, 1, length / 2, length, usize::MAX] {
            let part = part_at(&text, cursor);
            assert!(part.start <= part.end && part.end <= length.max(part.start));
        }
    });
}

const WHOLE: &[u8] = include_bytes!("__fuzz__/bundle/corpus/whole.zip");

/// Whatever the bytes: they are told about, and they hold only where they are the bundle that was made.
#[test]
fn bundle() {
    assert!(verify(WHOLE, None).told().holds);
    check!().for_each(|input: &[u8]| {
        let told = verify(input, None).told();
        assert!(!told.lines().is_empty());
        assert!(!told.holds || input == WHOLE, "what was not made holds");
    });
}

/// A bundle with bytes changed, cut or put in: not one of them goes unseen.
#[test]
fn edited_bundle() {
    check!().with_type::<Vec<(u16, u8, u8)>>().for_each(|edits| {
        let mut bytes = WHOLE.to_vec();
        for (at, how, what) in edits.iter().take(8) {
            let at = usize::from(*at) % bytes.len();
            match how % 3 {
                0 => bytes[at] ^= what,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, *what),
            }
        }
        assert!(!verify(&bytes, None).told().holds || bytes == WHOLE, "a change goes unseen");
    });
}
