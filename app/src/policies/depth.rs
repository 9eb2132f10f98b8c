//! How deeply a Cedar text is nested: what parses, checks and drops one calls itself once for each level, so that a short text can
//! use up a stack. It is measured before it is parsed, without a stack of its own.
use super::document::Mistake;

/// The deepest nesting of brackets.
pub const MOST_BRACKETS: usize = 40;
/// The most operators, member accesses and conditions that stand inside one another or in one row.
pub const MOST_STEPS: usize = 400;

/// Returns where a text goes deeper than [`MOST_BRACKETS`] or [`MOST_STEPS`]; `None` if it can be parsed safely.
pub fn too_deep(text: &str) -> Option<Mistake> {
    // Steps taken at each open bracket's level; the first one is outside all brackets.
    let (mut levels, mut steps) = (vec![0_usize], 0_usize);
    let (mut line, mut column) = (1, 0);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        (line, column) = if letter == '\n' { (line + 1, 0) } else { (line, column + 1) };
        match letter {
            '"' => {
                while let Some(inner) = letters.next() {
                    (line, column) = if inner == '\n' { (line + 1, 0) } else { (line, column + 1) };
                    match inner {
                        '"' => break,
                        '\\' => {
                            letters.next();
                            column += 1;
                        }
                        _ => {}
                    }
                }
            }
            '/' if letters.peek() == Some(&'/') => {
                // As Cedar's lexer ends it: a carriage return does, too.
                while letters.peek().is_some_and(|next| !matches!(next, '\n' | '\r')) {
                    letters.next();
                }
            }
            '(' | '[' | '{' => {
                // `a["b"]["c"]` and `f(x)(y)` follow one another as `a.b.c` does.
                step(&mut levels, &mut steps);
                levels.push(0);
            }
            // The first level is never closed: a bracket too many is the parser's to report.
            ')' | ']' | '}' if levels.len() > 1 => steps -= levels.pop().unwrap_or_default(),
            ',' | ';' => steps -= levels.last_mut().map_or(0, std::mem::take),
            '&' | '|' | '=' | '<' | '>' | '!' | '+' | '-' | '*' | '.' => step(&mut levels, &mut steps),
            letter if letter.is_alphabetic() => {
                let mut word = String::from(letter);
                while let Some(next) = letters.next_if(|next| next.is_alphanumeric() || *next == '_') {
                    column += 1;
                    word.push(next);
                }
                if matches!(word.as_str(), "if" | "then" | "else" | "in" | "has" | "like" | "is" | "when" | "unless") {
                    step(&mut levels, &mut steps);
                }
            }
            _ => {}
        }
        if levels.len() > MOST_BRACKETS + 1 || steps > MOST_STEPS {
            let message = format!(
                "This goes too deep: at most {MOST_BRACKETS} brackets inside one another, and {MOST_STEPS} operators in one rule. \
                 Split the rule."
            );
            return Some(Mistake { line, column: column.max(1), message });
        }
    }
    None
}

fn step(levels: &mut [usize], steps: &mut usize) {
    if let Some(level) = levels.last_mut() {
        *level += 1;
    }
    *steps += 1;
}

#[cfg(test)]
mod tests {
    use super::{super::document::template, *};
    use crate::policies::model::Tier;

    fn rule(condition: &str) -> String {
        format!("permit (principal, action, resource) when {{ {condition} }};")
    }

    #[test]
    fn what_nests_is_bounded_and_what_follows_is_not() {
        for deep in [
            rule(&format!("{}true{}", "(".repeat(150), ")".repeat(150))),
            rule(&format!("{}true", "!".repeat(5_000))),
            rule(&format!("{}1 == 1", "-".repeat(5_000))),
            rule(&format!("{}true", "true && ".repeat(2_000))),
            rule(&format!("context{}", ".a".repeat(3_000))),
            rule(&format!("{}true", "if true then true else ".repeat(800))),
            rule(&format!("{}1{}", "[".repeat(500), "]".repeat(500))),
            format!("{} when {{ true }};", rule("true").trim_end_matches(';'))
                .replace(';', &" when { true }".repeat(500)),
            "(".repeat(20_000),
            rule(&format!("//\r{}true{}\r", "(".repeat(900), ")".repeat(900))),
            rule(&format!("context{}", "[\"a\"]".repeat(3_900))),
        ] {
            assert!(too_deep(&deep).is_some(), "{}", &deep[..60]);
        }
        let set: Vec<String> = (0..1_000).map(|n| format!("\"secret-{n}.(((\"")).collect();
        let wide = rule(&format!("[{}].contains(context.tier)", set.join(", ")));
        let many: String = (0..50).map(|_| rule("context.hour > 20 && context.tier == \"production\"")).collect();
        let brackets = format!("// {}\n{}", "(".repeat(100), rule("true"));
        for flat in [wide, many, brackets, rule(&format!("{}true", "true || ".repeat(100)))] {
            assert_eq!(too_deep(&flat), None);
        }
        for tier in Tier::ALL {
            assert_eq!(too_deep(template(*tier)), None);
        }
    }

    #[test]
    fn it_says_where() {
        let text = format!("// one\n{}", "(".repeat(MOST_BRACKETS + 1));
        assert_eq!(too_deep(&text).map(|mistake| (mistake.line, mistake.column)), Some((2, MOST_BRACKETS + 1)));
    }
}
