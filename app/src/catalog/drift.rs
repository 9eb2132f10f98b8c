//! Drift: what a project's environments do not have in common. Values may differ; what they are, whose, and how they are kept
//! should not.
use crate::{
    catalog::model::Kind,
    policies::model::{Class, Tier, words},
};

words! {
    /// What differs.
    What {
        /// It is in some environments and not in others.
        Missing = "missing", "not everywhere";
        /// It is there, and has no value yet.
        Empty = "empty", "no value yet";
        /// Its class is lower in a stricter environment.
        Weaker = "weaker", "lower class where it matters more";
        Class = "class", "another class";
        Kind = "kind", "another kind";
        Owner = "owner", "another owner";
        /// Its values have other fields.
        Fields = "fields", "other fields";
        /// It rotates by plan in some and not in others.
        Rotation = "rotation", "rotates otherwise";
    }
}

impl What {
    /// Is it more than untidy?
    pub fn is_grave(self) -> bool {
        matches!(self, Self::Missing | Self::Weaker | Self::Kind)
    }
}

/// A secret in one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub secret: String,
    pub class: Class,
    pub kind: Kind,
    pub owner: String,
    /// Names of the current value's fields, in their order; none without a value.
    pub fields: Option<Vec<String>>,
    /// What its plan rotates it with; none without a plan.
    pub rotator: Option<String>,
}

impl Seen {
    /// What this environment has, as a difference is shown.
    pub fn cell(&self, what: What) -> String {
        match what {
            What::Missing => "there".into(),
            What::Empty => if self.fields.is_some() { "has a value" } else { "no value" }.into(),
            What::Weaker | What::Class => self.class.words().into(),
            What::Kind => self.kind.words().into(),
            What::Owner => self.owner.clone(),
            What::Fields => self.fields.as_ref().map_or_else(|| "no value".into(), |fields| fields.join(", ")),
            What::Rotation => self.rotator.clone().unwrap_or_else(|| "no plan".into()),
        }
    }
}

/// How one path differs: what, and each environment's own, in the order of the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub what: What,
    pub cells: Vec<String>,
}

/// Everything that differs of one path, over environments of these levels.
pub fn differences(tiers: &[Tier], seen: &[Option<Seen>]) -> Vec<Difference> {
    let there: Vec<(Tier, &Seen)> =
        tiers.iter().zip(seen).filter_map(|(tier, seen)| Some((*tier, seen.as_ref()?))).collect();
    let mut found = Vec::new();
    let mut add = |what: What| {
        let cells = seen.iter().map(|seen| seen.as_ref().map_or_else(|| "missing".into(), |seen| seen.cell(what)));
        found.push(Difference { what, cells: cells.collect() });
    };
    if there.is_empty() {
        return found;
    }
    if there.len() < tiers.len() {
        add(What::Missing);
    }
    let valued = there.iter().filter(|(_, seen)| seen.fields.is_some()).count();
    if valued > 0 && valued < there.len() {
        add(What::Empty);
    }
    let weaker =
        there.iter().any(|(tier, seen)| there.iter().any(|(other, theirs)| tier > other && seen.class < theirs.class));
    if weaker {
        add(What::Weaker);
    } else if differs(&there, |seen| seen.class) {
        add(What::Class);
    }
    if differs(&there, |seen| seen.kind) {
        add(What::Kind);
    }
    if differs(&there, |seen| seen.owner.clone()) {
        add(What::Owner);
    }
    let mut fields = there.iter().filter_map(|(_, seen)| {
        let mut fields = seen.fields.clone()?;
        fields.sort_unstable();
        Some(fields)
    });
    if let Some(first) = fields.next()
        && fields.any(|other| other != first)
    {
        add(What::Fields);
    }
    if differs(&there, |seen| seen.rotator.clone()) {
        add(What::Rotation);
    }
    found
}

fn differs<T: PartialEq>(there: &[(Tier, &Seen)], read: impl Fn(&Seen) -> T) -> bool {
    there.windows(2).any(|pair| read(pair[0].1) != read(pair[1].1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        Seen {
            secret: "sec_1".into(),
            class: Class::Normal,
            kind: Kind::Database,
            owner: "Payments".into(),
            fields: Some(vec!["username".into(), "password".into()]),
            rotator: Some("postgres".into()),
        }
    }

    fn of(one: Option<Seen>, other: Option<Seen>) -> Vec<What> {
        let found = differences(&[Tier::Staging, Tier::Production], &[one, other]);
        found.into_iter().map(|difference| difference.what).collect()
    }

    #[test]
    fn each_difference_is_told_alone() {
        let same = Some(seen());
        assert_eq!(of(same.clone(), same.clone()), []);
        assert_eq!(of(None, None), []);
        assert_eq!(of(same.clone(), None), [What::Missing]);
        let other = |change: &dyn Fn(&mut Seen)| {
            let mut seen = seen();
            change(&mut seen);
            Some(seen)
        };
        assert_eq!(of(same.clone(), other(&|seen| seen.fields = None)), [What::Empty]);
        assert_eq!(of(same.clone(), other(&|seen| seen.class = Class::Low)), [What::Weaker]);
        assert_eq!(of(same.clone(), other(&|seen| seen.class = Class::High)), [What::Class]);
        assert_eq!(of(same.clone(), other(&|seen| seen.kind = Kind::Opaque)), [What::Kind]);
        assert_eq!(of(same.clone(), other(&|seen| seen.owner = "Rails".into())), [What::Owner]);
        assert_eq!(of(same.clone(), other(&|seen| seen.fields = Some(vec!["value".into()]))), [What::Fields]);
        assert_eq!(of(same.clone(), other(&|seen| seen.rotator = None)), [What::Rotation]);
        // The order of fields is none.
        let turned = other(&|seen| seen.fields.iter_mut().for_each(|fields| fields.reverse()));
        assert_eq!(of(same.clone(), turned), []);
        let found = differences(&[Tier::Staging, Tier::Production], &[same, None]);
        assert_eq!(found[0].cells, ["there", "missing"]);
    }
}
