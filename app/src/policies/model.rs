//! Roles, protection levels, classes and rights. What holds at a level is in `levels`.

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

/// Critical values in production are copied without being shown.
pub fn copy_only(tier: Tier, class: Class) -> bool {
    tier == Tier::Production && class == Class::Critical
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
}
