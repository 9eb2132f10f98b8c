//! Rules as they are written: the text of one and where it stands, for whoever is told that it decided.
use super::{
    BUILT_IN,
    organisation::{Document, Organisation, in_order, name_of},
    parse::parse,
};
use app::explain::model::Rule;
use cedar_policy::{Effect, Policy, PolicySet};

/// The text of one built-in rule.
pub fn rule_text(id: &str) -> Option<&'static str> {
    let begin = BUILT_IN.find(&format!("@id(\"{id}\")"))?;
    let rest = &BUILT_IN[begin..];
    Some(rest[..rest.find(";\n")? + 1].trim())
}

/// A rule by the name that a decision bears.
pub fn rule(organisation: &Organisation, id: &str) -> Option<Rule> {
    if let Some(text) = rule_text(id) {
        let begin = BUILT_IN.find(text).unwrap_or_default();
        let (line, _) = position(BUILT_IN, begin);
        let permits = text.contains("\npermit");
        return Some(Rule { id: id.into(), version: super::VERSION, line, text: text.into(), document: None, permits });
    }
    let (slug, _) = id.split_once('/')?;
    rule_in(organisation.documents.iter().find(|document| document.slug == slug)?, id)
}

/// The same in one document: of a version that may be in force no more.
pub fn rule_in(document: &Document, id: &str) -> Option<Rule> {
    let (_, name) = id.split_once('/')?;
    let parsed = parse(&document.text).ok()?;
    let placed = placed(&document.text, &parsed);
    let mut numbered = placed.into_iter().enumerate();
    let (_, (policy, start)) = numbered.find(|(number, (policy, _))| name_of(*number, policy) == name)?;
    let (line, _) = position(&document.text, start);
    let text = policy.to_cedar().unwrap_or_default().trim().to_owned();
    let (document, version) = (Some(document.id.clone()), document.version);
    Some(Rule { id: id.into(), version, line, text, document, permits: policy.effect() == Effect::Permit })
}

/// The rules of a text in their order, each with the byte that it begins at.
pub(super) fn placed<'a>(text: &str, parsed: &'a PolicySet) -> Vec<(&'a Policy, usize)> {
    let mut searched = 0;
    let mut found = Vec::new();
    for policy in in_order(parsed) {
        // Where it stands: behind those before it.
        let own = policy.to_cedar().unwrap_or_default();
        let own = own.trim();
        let here = text.get(searched..).and_then(|rest| rest.find(own)).map(|here| searched + here);
        found.push((policy, here.unwrap_or(searched)));
        searched = here.map_or(searched, |here| here + own.len());
    }
    found
}

/// Line and column of a byte, from 1.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_found_where_it_stands() {
        let document = Document {
            id: "pol_1".into(),
            slug: "hours".into(),
            version: 3,
            text: "// ä\npermit (principal, action, resource);\n\n@id(\"night\")\nforbid (principal, action, resource)\nwhen { context.hour > 20 };\n".into(),
        };
        let first = rule_in(&document, "hours/1").map(|rule| (rule.line, rule.version));
        assert_eq!(first, Some((2, 3)));
        let night = rule_in(&document, "hours/night");
        assert_eq!(night.as_ref().map(|rule| rule.line), Some(4));
        assert!(night.is_some_and(|rule| rule.text.contains("context.hour > 20")));
        assert_eq!(rule_in(&document, "hours/2"), None);
        let built_in = rule(&Organisation::none(), "values-need-a-grant");
        assert!(built_in.is_some_and(|rule| {
            BUILT_IN.lines().nth(rule.line - 1) == Some("@id(\"values-need-a-grant\")")
                && rule.document.is_none()
                && !rule.permits
        }));
        assert!(rule(&Organisation::none(), "a-grant-reads").is_some_and(|rule| rule.permits));
    }
}
