//! Addresses: everything on a page is a link, and its query says what it shows.

/// `application/x-www-form-urlencoded` (WHATWG URL) for a few fields.
pub fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => char::from(byte).to_string(),
                b' ' => "+".into(),
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

/// A path with those fields behind it that say something.
pub fn address(path: &str, fields: &[(&str, &str)]) -> String {
    let said: Vec<(&str, &str)> = fields.iter().copied().filter(|(_, value)| !value.is_empty()).collect();
    if said.is_empty() { path.to_owned() } else { format!("{path}?{}", form(&said)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded() {
        assert_eq!(form(&[("purpose", "a b&c=é"), ("x", "1")]), "purpose=a+b%26c%3D%C3%A9&x=1");
        assert_eq!(address("/audit", &[("q", ""), ("before", "7")]), "/audit?before=7");
        assert_eq!(address("/audit", &[("q", "")]), "/audit");
    }
}
