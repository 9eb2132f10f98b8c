//! Reading `.env` files: `NAME=value` lines, `#` comments, `export`, single and double quotes. Nothing is substituted:
//! a `$` in a value is a `$`.

/// What is wrong with a line; never the line itself, which may hold a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    pub line: usize,
    pub why: &'static str,
}

impl std::fmt::Display for BadLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line {}: {}", self.line, self.why)
    }
}

/// Names in one file at most.
pub const MOST_NAMES: usize = 500;

pub fn dotenv(text: &str) -> Result<Vec<(String, String)>, BadLine> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let bad = |why| BadLine { line: number, why };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or_else(|| bad("no = between a name and a value."))?;
        let name = name.trim();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            return Err(bad("the name has other characters than letters, digits, dot, underscore and hyphen."));
        }
        if found.iter().any(|(known, _)| known == name) {
            return Err(bad("this name stands here twice."));
        }
        if found.len() == MOST_NAMES {
            return Err(bad("more than 500 names: import them in several files."));
        }
        found.push((name.to_owned(), unquote(value.trim()).map_err(bad)?));
    }
    Ok(found)
}

fn unquote(value: &str) -> Result<String, &'static str> {
    let mut letters = value.chars();
    match letters.next() {
        Some('\'') => {
            let (inside, rest) = value[1..].split_once('\'').ok_or("the quotation is not closed.")?;
            if is_end(rest) { Ok(inside.to_owned()) } else { Err("something stands behind the quotation.") }
        }
        Some('"') => {
            let mut inside = String::new();
            while let Some(letter) = letters.next() {
                match letter {
                    '"' if is_end(letters.as_str()) => return Ok(inside),
                    '"' => return Err("something stands behind the quotation."),
                    '\\' => match letters.next() {
                        Some('n') => inside.push('\n'),
                        Some('t') => inside.push('\t'),
                        Some('r') => inside.push('\r'),
                        Some(other @ ('"' | '\\' | '$')) => inside.push(other),
                        _ => return Err("an unknown escape stands in the quotation."),
                    },
                    other => inside.push(other),
                }
            }
            Err("the quotation is not closed.")
        }
        _ => Ok(value.split(" #").next().unwrap_or_default().trim_end().to_owned()),
    }
}

fn is_end(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_lines_are_read() {
        let text = "# head\nexport A=1\nB = two words # why\nC='$x #y'\nD=\"a\\nb\\\"c\" # d\n\nE=\nF=p#q";
        let read = dotenv(text).unwrap_or_default();
        let read: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(read, [("A", "1"), ("B", "two words"), ("C", "$x #y"), ("D", "a\nb\"c"), ("E", ""), ("F", "p#q")]);
    }

    #[test]
    fn a_bad_line_is_named_without_its_value() {
        for (text, line) in
            [("A=1\nhidden", 2), ("A=1\nA=2", 2), ("A='x", 1), ("A=\"x\" y", 1), ("=x", 1), ("A=\"\\q\"", 1)]
        {
            let error = dotenv(text).err();
            assert_eq!(error.as_ref().map(|bad| bad.line), Some(line), "{text}");
            assert!(!error.is_some_and(|bad| bad.to_string().contains("hidden")));
        }
    }
}
