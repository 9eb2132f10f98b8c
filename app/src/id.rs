//! Ids: three letters, an underscore, and a UUIDv7 (RFC 9562) in 26 lower-case Crockford base-32 characters.
//!
//! They sort by the time of their making, are safe in URLs and file names, and say what they are of.

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The text of 128 bits: 26 characters, the first one `0`–`7`.
pub fn encode(bits: u128) -> String {
    (0..26).rev().map(|place| char::from(ALPHABET[((bits >> (place * 5)) & 31) as usize])).collect()
}

/// The bits of such a text; `None` for anything that [`encode`] would not have written.
pub fn decode(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    if bytes.len() != 26 || bytes[0] > b'7' {
        return None;
    }
    bytes.iter().try_fold(0_u128, |bits, byte| {
        let value = ALPHABET.iter().position(|letter| letter == byte)?;
        Some((bits << 5) | value as u128)
    })
}

/// A UUIDv7 from milliseconds since 1970 and ten random bytes.
pub fn uuid7(millis: u64, random: [u8; 10]) -> u128 {
    let mut tail = [0; 16];
    tail[6..].copy_from_slice(&random);
    let mut bits = u128::from_be_bytes(tail) | (u128::from(millis) << 80);
    bits = (bits & !(0xf << 76)) | (7 << 76);
    (bits & !(3 << 62)) | (2 << 62)
}

/// Why a text is not an id of the kind that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnId {
    pub wanted: &'static str,
}

impl std::fmt::Display for NotAnId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not an id that begins with {}_", self.wanted)
    }
}

impl std::error::Error for NotAnId {}

/// Any kind of id, for making new ones.
pub trait Id {
    /// A new id from a moment and ten random bytes.
    fn make(millis: u64, random: [u8; 10]) -> Self;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl Id for $name {
            fn make(millis: u64, random: [u8; 10]) -> Self {
                Self(format!("{}_{}", $prefix, encode(uuid7(millis, random))))
            }
        }

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;
            fn try_from(text: String) -> Result<Self, NotAnId> {
                let body = text.strip_prefix($prefix).and_then(|rest| rest.strip_prefix('_'));
                match body.and_then(decode) {
                    Some(_) => Ok(Self(text)),
                    None => Err(NotAnId { wanted: $prefix }),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// A human who can sign in.
    PersonId = "per";
    /// A group of people that owns projects' secrets and workloads.
    TeamId = "tea";
    /// A role held by a person over a period, in the organisation or in one project.
    RoleId = "rol";
    /// A person's membership of a team over a period.
    MembershipId = "mem";
    /// A one-time link: to join, or to set a new password.
    LinkId = "lnk";
    /// A signed-in browser.
    SessionId = "ses";
    /// What a person's own programs sign in with.
    AccessTokenId = "pat";
    /// A proposed change of control.
    ChangeId = "ctl";
    ProviderId = "idp";
    /// What a group of a provider gives.
    GroupRuleId = "gru";
    /// Issuer and subject, and whose they are.
    IdentityId = "idt";
    EmergencyId = "emg";
    /// A passkey, an authenticator, or recovery codes.
    FactorId = "fac";
    /// Somebody who decides in another one's place.
    DelegationId = "del";
    /// A policy of the organisation; and each of its versions.
    PolicyId = "pol";
    /// What holds at a protection level, for a while.
    LevelId = "lvl";
    ProjectId = "prj";
    EnvironmentId = "env";
    SecretId = "sec";
    /// A request for access.
    RequestId = "req";
    /// One person's answer to a request.
    DecisionId = "dec";
    GrantId = "grt";
    /// A pipeline or service.
    WorkloadId = "wkl";
    /// A workload's client secret.
    CredentialId = "crd";
    /// A short-lived token of a workload.
    TokenId = "tok";
    /// How a secret rotates.
    PlanId = "pln";
    RotationId = "rot";
    /// Something made of the trail: an export, a bundle, a verification.
    ReportId = "rep";
    /// A query that somebody keeps.
    ViewId = "viw";
    /// What the secrets of an environment inherit.
    DefaultId = "dfl";
    /// One trigger on one secret that has to be rotated.
    CaseId = "cas";
    NoticeId = "ntc";
    /// One HTTP request or job run: what ties events, log lines and error pages together.
    CorrelationId = "cor";
    /// One installation's store.
    StoreId = "sto";
    /// One ledger.
    LogId = "log";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frozen_vectors() {
        // Version 1 of the id format: these lines must never change.
        assert_eq!(encode(0), "00000000000000000000000000");
        assert_eq!(encode(u128::MAX), "7zzzzzzzzzzzzzzzzzzzzzzzzz");
        let id = PersonId::make(1_795_507_200_000, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(id.as_str(), "per_01m8693800e41861050r3gg28a");
        assert_eq!(decode(&id.as_str()[4..]).map(|bits| bits >> 76 & 0xf), Some(7));
    }

    #[test]
    fn only_canonical_texts_are_ids() {
        let good = "req_01m846kxs0e8kbcf2tpy8vep2a";
        assert!(good.parse::<RequestId>().is_ok());
        for bad in [
            "",
            "req_",
            "grt_01m846kxs0e8kbcf2tpy8vep2a",
            "req_01M846KXS0E8KBCF2TPY8VEP2A",
            "req_81m846kxs0e8kbcf2tpy8vep2a",
            "req_01m846kxs0e8kbcf2tpy8vep2",
            "req_01m846kxs0e8kbcf2tpy8vepil",
        ] {
            assert!(bad.parse::<RequestId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_sort_by_time() {
        let early = PersonId::make(1, [255; 10]);
        let late = PersonId::make(2, [0; 10]);
        assert!(early < late);
    }
}
