//! The one way from a text of the organisation to Cedar policies. Cedar calls itself for each level of nesting: the text is measured
//! before it is parsed, and parsed on a thread whose stack has room for what the measure lets through, in debug builds too.
use app::policies::{
    depth::too_deep,
    document::{LONGEST, Mistake},
};
use cedar_policy::{ParseErrors, PolicySet};
use miette::Diagnostic;
use std::{fmt, str::FromStr};

/// Several hundred levels at some ten frames each, unoptimised.
const STACK: usize = 128 << 20;

/// Why a text is no policies.
#[derive(Debug)]
pub enum Unreadable {
    /// It is too long or nested too deeply to be read at all.
    TooMuch(Mistake),
    Cedar(Box<ParseErrors>),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMuch(mistake) => write!(formatter, "line {}: {}", mistake.line, mistake.message),
            Self::Cedar(errors) => errors.fmt(formatter),
        }
    }
}

impl Unreadable {
    /// Each mistake, with the byte that it is at where Cedar says so.
    pub fn diagnostics(&self) -> impl Iterator<Item = (&dyn Diagnostic, String)> {
        let errors = if let Self::Cedar(errors) = self { Some(errors) } else { None };
        errors.into_iter().flat_map(|errors| errors.iter()).map(|error| (error as &dyn Diagnostic, error.to_string()))
    }
}

/// Parses a text of the organisation.
pub fn parse(text: &str) -> Result<PolicySet, Unreadable> {
    if text.chars().count() > LONGEST {
        let message = "A document has at most 20,000 characters.".into();
        return Err(Unreadable::TooMuch(Mistake { line: 1, column: 1, message }));
    }
    if let Some(mistake) = too_deep(text) {
        return Err(Unreadable::TooMuch(mistake));
    }
    with_room(|| PolicySet::from_str(text).map_err(|errors| Unreadable::Cedar(Box::new(errors))))
}

/// Runs what follows the nesting of a policy on a large stack, and waits for it.
pub fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("policies".into()).stack_size(STACK).spawn_scoped(scope, work);
        match worker.map(|worker| worker.join()) {
            Ok(Ok(done)) => done,
            Ok(Err(panicked)) => std::panic::resume_unwind(panicked),
            Err(error) => std::panic::resume_unwind(Box::new(format!("no thread for policies: {error}"))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies::{Engine, check};
    use app::policies::depth::{MOST_BRACKETS, MOST_STEPS};

    /// What the measure lets through is parsed, checked, asked and dropped on the small stack of a worker.
    #[test]
    fn the_deepest_text_that_is_let_through_fits_everywhere() {
        let rule = |condition: String| format!("permit (principal, action, resource) when {{ {condition} }};");
        let brackets = MOST_BRACKETS - 2;
        let steps = MOST_STEPS - 4;
        for text in [
            rule(format!("{}true{}", "(".repeat(brackets), ")".repeat(brackets))),
            rule(format!("{}true{}", "!(".repeat(brackets), ")".repeat(brackets))),
            rule(format!("{}true", "true && ".repeat(steps / 2))),
            rule(format!("{}true{}", "(if true then ".repeat(brackets), " else false)".repeat(brackets))),
            rule(format!("context{}", ".a".repeat(steps))),
            rule(format!("{}1{} == 2", "[".repeat(brackets), "]".repeat(brackets))),
            rule(format!("{}{{}} == 2{}", "{\"a\": ".repeat(brackets - 1), "}".repeat(brackets - 1))),
        ] {
            let worker = std::thread::Builder::new().stack_size(2 << 20);
            let ran = worker.spawn(move || {
                let engine = Engine::built_in().unwrap();
                let _ = check::mistakes(&engine, &text);
                drop(parse(&text));
            });
            ran.unwrap().join().unwrap();
        }
    }

    #[test]
    fn a_short_text_does_not_use_up_the_stack() {
        let text =
            format!("permit (principal, action, resource) when {{ {}true{} }};", "(".repeat(150), ")".repeat(150));
        let engine = Engine::built_in().unwrap();
        let found = check::mistakes(&engine, &text);
        assert!(found.len() == 1 && found[0].message.contains("too deep"), "{found:?}");
    }
}
