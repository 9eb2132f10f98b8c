//! Roles, protection levels, classes and rights, with the rules that follow from each.
use chrono::TimeDelta;

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $name:ident = $code:literal, $words:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $type { $($(#[$variant_doc])* $name),* }

        impl $type {
            pub const ALL: &'static [$type] = &[$($type::$name),*];

            /// As stored, in URLs and in policies.
            pub fn code(self) -> &'static str {
                match self { $($type::$name => $code),* }
            }

            /// As people read it.
            pub fn words(self) -> &'static str {
                match self { $($type::$name => $words),* }
            }

            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.code() == code)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.words())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What somebody is trusted with, in the organisation or in one project. No role reads a value.
    Role {
        /// Asks, and uses what it was granted.
        Member = "member", "Member";
        /// Owns projects and approves for them.
        Lead = "lead", "Lead";
        /// Policies, reviews, findings; approves where a policy names it.
        Security = "security", "Security";
        /// Reads evidence, never a value.
        Auditor = "auditor", "Auditor";
        /// People, settings, stores.
        Admin = "admin", "Administrator";
    }
}

words! {
    /// An environment's protection level.
    Tier {
        Development = "development", "Development";
        Test = "test", "Test";
        Staging = "staging", "Staging";
        Production = "production", "Production";
    }
}

words! {
    /// How much harm a secret could do in the wrong hands.
    Class {
        Low = "low", "Low";
        Normal = "normal", "Normal";
        High = "high", "High";
        Critical = "critical", "Critical";
    }
}

words! {
    /// What a grant allows.
    Right {
        Read = "read", "read";
        Write = "write", "write";
    }
}

impl Tier {
    /// No grant in such an environment is longer.
    pub fn longest_grant(self) -> TimeDelta {
        match self {
            Self::Development => TimeDelta::days(30),
            Self::Test => TimeDelta::days(14),
            Self::Staging => TimeDelta::days(3),
            Self::Production => TimeDelta::hours(8),
        }
    }

    /// The longest standing grant of a workload: 180 days everywhere, with an owner.
    pub fn longest_workload_grant(self) -> TimeDelta {
        TimeDelta::days(180)
    }

    /// How old a value may become.
    pub fn rotate_within(self) -> TimeDelta {
        TimeDelta::days(match self {
            Self::Development => 365,
            Self::Test => 180,
            Self::Staging | Self::Production => 90,
        })
    }

    /// How soon an old credential has to be dead once it had to be rotated.
    pub fn dead_within(self) -> TimeDelta {
        TimeDelta::days(match self {
            Self::Development => 14,
            Self::Test => 7,
            Self::Staging => 4,
            Self::Production => 2,
        })
    }

    /// How long a workload's token lives.
    pub fn token_life(self) -> TimeDelta {
        TimeDelta::minutes(match self {
            Self::Development => 60,
            Self::Test => 30,
            Self::Staging | Self::Production => 15,
        })
    }

    pub fn longest_for(self, workload: bool) -> TimeDelta {
        if workload { self.longest_workload_grant() } else { self.longest_grant() }
    }

    /// Durations that a form offers, longest first asked.
    pub fn offered(self, workload: bool) -> Vec<TimeDelta> {
        let longest = self.longest_for(workload);
        let hours: &[i64] =
            if workload { &[24, 24 * 30, 24 * 90, 24 * 180] } else { &[1, 2, 4, 8, 24, 72, 168, 336, 720] };
        hours.iter().map(|hours| TimeDelta::hours(*hours)).filter(|offer| *offer <= longest).collect()
    }

    /// One sentence on what holds here.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Development => "grants last at most 30 days and are given by rule",
            Self::Test => "grants last at most 14 days and need one lead",
            Self::Staging => "grants last at most 3 days and need one lead",
            Self::Production => {
                "grants last at most 8 hours and need one lead; critical secrets need one lead and one security, and are copied without being shown"
            }
        }
    }
}

/// Critical values in production are copied without being shown.
pub fn copy_only(tier: Tier, class: Class) -> bool {
    tier == Tier::Production && class == Class::Critical
}

/// Who signs, in order: one seat each.
pub fn seats(tier: Tier, class: Class) -> &'static [Role] {
    match (tier, class) {
        (Tier::Development, _) => &[],
        (Tier::Production, Class::Critical) => &[Role::Lead, Role::Security],
        _ => &[Role::Lead],
    }
}

/// The built-in approval policy that [`seats`] comes from, as the trail names it.
pub fn approval_policy(tier: Tier, class: Class) -> &'static str {
    match (tier, class) {
        (Tier::Production, Class::Critical) => "production-critical",
        (tier, _) => tier.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_back() {
        assert!(Role::ALL.iter().all(|role| Role::from_code(role.code()) == Some(*role)));
        assert!(Tier::ALL.iter().all(|tier| Tier::from_code(tier.code()) == Some(*tier)));
        assert_eq!(Class::from_code("Critical"), None);
    }

    #[test]
    fn stricter_levels_never_allow_more() {
        for pair in Tier::ALL.windows(2) {
            assert!(pair[0].longest_grant() > pair[1].longest_grant());
            assert!(pair[0].rotate_within() >= pair[1].rotate_within());
            assert!(pair[0].dead_within() > pair[1].dead_within());
            for class in Class::ALL {
                assert!(seats(pair[0], *class).len() <= seats(pair[1], *class).len());
            }
        }
        assert_eq!(seats(Tier::Production, Class::Critical), [Role::Lead, Role::Security]);
    }

    #[test]
    fn every_offer_fits() {
        for tier in Tier::ALL {
            for workload in [false, true] {
                let offers = tier.offered(workload);
                assert!(!offers.is_empty() && offers.iter().all(|offer| *offer <= tier.longest_for(workload)));
            }
        }
    }
}
