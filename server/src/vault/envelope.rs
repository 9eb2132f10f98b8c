//! Envelope encryption: root key ─wraps─▶ environment key ─wraps─▶ data key ─seals─▶ payload. AES-256-GCM throughout.
//!
//! What is sealed for one place opens nowhere else: the context of the data key names store, project, environment, secret,
//! path, version and key generation; the context of the payload names secret and version. Contexts (format 1) are parts,
//! each preceded by its length in eight bytes.
use crate::keys::{self, Secret};
use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload as Sealed},
};
use app::catalog::model::{LONGEST_FIELD, LONGEST_PAYLOAD, MOST_FIELDS};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A version's value: an ordered map of fields. It has no `Debug`, `Display` or `Serialize`, so that it cannot be printed
/// by accident.
///
/// ```compile_fail
/// fn shows<T: std::fmt::Debug>() {}
/// shows::<server::vault::envelope::Payload>();
/// ```
/// ```compile_fail
/// fn shows<T: serde::Serialize>() {}
/// shows::<server::vault::envelope::Payload>();
/// ```
/// ```compile_fail
/// fn shows<T: std::fmt::Display>() {}
/// shows::<server::vault::envelope::Payload>();
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Vec<(String, Zeroizing<Vec<u8>>)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("a value has 1 to {MOST_FIELDS} fields, each at most 64 KiB, together at most 256 KiB")]
    Size,
    #[error("two fields have one name")]
    Twice,
    #[error("what is stored here was not sealed for this place, or was changed")]
    NotHere,
    #[error("random numbers are not available")]
    NoRandom,
}

impl Payload {
    pub fn new(fields: Vec<(String, Zeroizing<Vec<u8>>)>) -> Result<Self, Error> {
        let total: usize = fields.iter().map(|(_, value)| value.len()).sum();
        let fits = (1..=MOST_FIELDS).contains(&fields.len())
            && fields.iter().all(|(_, value)| value.len() <= LONGEST_FIELD)
            && total <= LONGEST_PAYLOAD;
        if !fits {
            return Err(Error::Size);
        }
        if fields.iter().enumerate().any(|(n, (name, _))| fields[..n].iter().any(|(known, _)| known == name)) {
            return Err(Error::Twice);
        }
        Ok(Self(fields))
    }

    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The same fields with the same values, told in a time that says nothing about them.
    pub fn is_same(&self, other: &Payload) -> bool {
        self.names() == other.names()
            && self.fields().zip(other.fields()).all(|((_, one), (_, other))| bool::from(one.ct_eq(other)))
    }

    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Bytes of all fields together.
    pub fn length(&self) -> usize {
        self.0.iter().map(|(_, value)| value.len()).sum()
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.length() + 64 * self.0.len()));
        for (name, value) in &self.0 {
            for part in [name.as_bytes(), value.as_slice()] {
                bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
                bytes.extend_from_slice(part);
            }
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut take = || {
            let (length, behind) = rest.split_first_chunk::<4>()?;
            let (part, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            rest = behind;
            Some((part, rest.is_empty()))
        };
        let mut fields = Vec::new();
        loop {
            let (name, _) = take()?;
            let (value, last) = take()?;
            fields.push((std::str::from_utf8(name).ok()?.to_owned(), Zeroizing::new(value.to_vec())));
            if last {
                return Self::new(fields).ok();
            }
        }
    }
}

/// Where a value lies: all of it is in the context that the data key is wrapped with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub store: String,
    pub project: (String, String),
    pub environment: (String, String),
    pub secret: String,
    pub path: String,
}

impl Place {
    fn wrap_context(&self, version: u32, generation: u32) -> Vec<u8> {
        context(&[
            b"countersign/dek-wrap/v1",
            self.store.as_bytes(),
            self.project.0.as_bytes(),
            self.project.1.as_bytes(),
            self.environment.0.as_bytes(),
            self.environment.1.as_bytes(),
            self.secret.as_bytes(),
            self.path.as_bytes(),
            &version.to_be_bytes(),
            &generation.to_be_bytes(),
        ])
    }

    fn payload_context(&self, version: u32) -> Vec<u8> {
        context(&[b"countersign/payload/v1", self.secret.as_bytes(), &version.to_be_bytes()])
    }
}

fn context(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().flat_map(|part| [&(part.len() as u64).to_be_bytes()[..], part].concat()).collect()
}

/// A sealed value: the wrapped data key and the sealed payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub generation: u32,
    pub data_key: Vec<u8>,
    pub payload: Vec<u8>,
}

/// Seals a payload with a fresh data key.
pub fn seal(place: &Place, version: u32, generation: u32, kek: &Secret, payload: &Payload) -> Result<Stored, Error> {
    let dek: Secret = Zeroizing::new(keys::random().map_err(|_| Error::NoRandom)?);
    Ok(Stored {
        generation,
        data_key: encrypt(kek, &*dek, &place.wrap_context(version, generation))?,
        payload: encrypt(&dek, &payload.encode(), &place.payload_context(version))?,
    })
}

pub fn open(place: &Place, version: u32, kek: &Secret, stored: &Stored) -> Result<Payload, Error> {
    let dek = data_key(place, version, kek, stored)?;
    let bytes = decrypt(&dek, &stored.payload, &place.payload_context(version))?;
    Payload::decode(&bytes).ok_or(Error::NotHere)
}

/// The same payload under another key generation, or at another path: only the data key is wrapped anew.
pub fn rewrap(
    from: &Place,
    to: &Place,
    version: u32,
    old: &Secret,
    stored: &Stored,
    (generation, new): (u32, &Secret),
) -> Result<Stored, Error> {
    let dek = data_key(from, version, old, stored)?;
    let data_key = encrypt(new, &*dek, &to.wrap_context(version, generation))?;
    Ok(Stored { generation, data_key, payload: stored.payload.clone() })
}

fn data_key(place: &Place, version: u32, kek: &Secret, stored: &Stored) -> Result<Secret, Error> {
    let bytes = decrypt(kek, &stored.data_key, &place.wrap_context(version, stored.generation))?;
    Ok(Zeroizing::new(bytes.as_slice().try_into().map_err(|_| Error::NotHere)?))
}

/// An environment key, wrapped by the root's `kek-wrap` key for one environment and generation.
pub fn wrap_kek(
    root: &Secret,
    store: &str,
    environment: &str,
    generation: u32,
    kek: &Secret,
) -> Result<Vec<u8>, Error> {
    encrypt(root, &**kek, &kek_context(store, environment, generation))
}

pub fn unwrap_kek(
    root: &Secret,
    store: &str,
    environment: &str,
    generation: u32,
    wrapped: &[u8],
) -> Result<Secret, Error> {
    let bytes = decrypt(root, wrapped, &kek_context(store, environment, generation))?;
    Ok(Zeroizing::new(bytes.as_slice().try_into().map_err(|_| Error::NotHere)?))
}

fn kek_context(store: &str, environment: &str, generation: u32) -> Vec<u8> {
    context(&[b"countersign/kek-wrap/v1", store.as_bytes(), environment.as_bytes(), &generation.to_be_bytes()])
}

/// Twelve random bytes, then ciphertext and tag. A data key seals once; an environment key wraps far fewer than 2^32 times.
pub(crate) fn encrypt(key: &Secret, plain: &[u8], aad: &[u8]) -> Result<Vec<u8>, Error> {
    let nonce: [u8; 12] = keys::random().map_err(|_| Error::NoRandom)?;
    let cipher = Aes256Gcm::new((&**key).into());
    let sealed = cipher.encrypt(&nonce.into(), Sealed { msg: plain, aad }).map_err(|_| Error::NotHere)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

pub(crate) fn decrypt(key: &Secret, sealed: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (nonce, sealed) = sealed.split_first_chunk::<12>().ok_or(Error::NotHere)?;
    let cipher = Aes256Gcm::new((&**key).into());
    let plain = cipher.decrypt(&(*nonce).into(), Sealed { msg: sealed, aad }).map_err(|_| Error::NotHere)?;
    Ok(Zeroizing::new(plain))
}

/// Field names as one column; names have no commas.
pub fn join_names(names: &[String]) -> String {
    names.join(",")
}

/// A value as JSON carries it: text where it is UTF-8, else base64 said so.
pub fn as_text(value: &[u8]) -> (Zeroizing<String>, &'static str) {
    match std::str::from_utf8(value) {
        Ok(text) => (Zeroizing::new(text.to_owned()), "utf-8"),
        Err(_) => (Zeroizing::new(URL_SAFE_NO_PAD.encode(value)), "base64url"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn place(n: u8) -> Place {
        Place {
            store: "sto_1".into(),
            project: ("prj_1".into(), "payments".into()),
            environment: (format!("env_{n}"), "production".into()),
            secret: "sec_1".into(),
            path: "db/primary".into(),
        }
    }

    fn payload() -> Payload {
        let fields = vec![
            ("username".into(), Zeroizing::new(b"app".to_vec())),
            ("password".into(), Zeroizing::new(b"x".to_vec())),
        ];
        Payload::new(fields).unwrap()
    }

    /// Sealing context, format 1: these hashes must never change.
    #[test]
    fn frozen_vectors() {
        let hash = |bytes: Vec<u8>| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(
            hash(place(1).wrap_context(3, 2)),
            include_str!("../../vectors/dek-wrap-context-v1.sha256").trim_end()
        );
        assert_eq!(
            hash(place(1).payload_context(3)),
            include_str!("../../vectors/payload-context-v1.sha256").trim_end()
        );
    }

    #[test]
    fn a_value_opens_where_it_was_sealed_and_nowhere_else() {
        let kek: Secret = Zeroizing::new([7; 32]);
        let stored = seal(&place(1), 3, 1, &kek, &payload()).unwrap();
        assert!(open(&place(1), 3, &kek, &stored) == Ok(payload()));
        let elsewhere = [
            Place { store: "sto_2".into(), ..place(1) },
            Place { project: ("prj_2".into(), "payments".into()), ..place(1) },
            Place { project: ("prj_1".into(), "other".into()), ..place(1) },
            place(2),
            Place { environment: ("env_1".into(), "staging".into()), ..place(1) },
            Place { secret: "sec_2".into(), ..place(1) },
            Place { path: "db/replica".into(), ..place(1) },
        ];
        for place in elsewhere {
            assert!(open(&place, 3, &kek, &stored) == Err(Error::NotHere), "{place:?}");
        }
        assert!(open(&place(1), 4, &kek, &stored) == Err(Error::NotHere));
        assert!(open(&place(1), 3, &Zeroizing::new([8; 32]), &stored) == Err(Error::NotHere));
        assert!(open(&place(1), 3, &kek, &Stored { generation: 2, ..stored.clone() }) == Err(Error::NotHere));
        for (n, bit) in [(0, 1), (20, 128)] {
            let mut bent = stored.clone();
            bent.payload[n] ^= bit;
            assert!(open(&place(1), 3, &kek, &bent) == Err(Error::NotHere));
        }
    }

    #[test]
    fn rewrapping_keeps_the_payload() {
        let (old, new): (Secret, Secret) = (Zeroizing::new([7; 32]), Zeroizing::new([9; 32]));
        let stored = seal(&place(1), 1, 1, &old, &payload()).unwrap();
        let to = Place { path: "db/moved".into(), ..place(1) };
        let moved = rewrap(&place(1), &to, 1, &old, &stored, (2, &new)).unwrap();
        assert_eq!(moved.payload, stored.payload);
        assert!(open(&to, 1, &new, &moved) == Ok(payload()));
        assert!(open(&place(1), 1, &new, &moved) == Err(Error::NotHere));
    }

    #[test]
    fn limits_are_kept() {
        let field = |name: &str, length| (name.to_owned(), Zeroizing::new(vec![b'x'; length]));
        assert!(Payload::new(vec![]) == Err(Error::Size));
        assert!(Payload::new(vec![field("a", LONGEST_FIELD + 1)]) == Err(Error::Size));
        assert!(Payload::new((0..5).map(|n| field(&n.to_string(), LONGEST_FIELD)).collect()) == Err(Error::Size));
        assert!(Payload::new(vec![field("a", 1), field("a", 1)]) == Err(Error::Twice));
        assert!(Payload::new(vec![field("a", LONGEST_FIELD)]).is_ok());
    }
}
