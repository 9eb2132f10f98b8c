//! Checkpoints: C2SP tlog-checkpoint in a C2SP signed-note with Ed25519, and the verifier keys that check them.
//!
//! ```text
//! countersign.invalid/log_…/e0        origin = name of the key; e = epoch of the ledger
//! 1234                                size of the tree
//! bIA4…=                              root, base64
//!
//! — countersign.invalid/log_…/e0 Az3grl…   first four bytes of the key's id, then the signature
//! ```
use super::tree::Hash;
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier as _, VerifyingKey};
use sha2::{Digest, Sha256};

const ED25519: u8 = 1;

/// What a log asserts about itself at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

/// Why a text is not a checkpoint, or not one of this log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// Not laid out as a signed note with a checkpoint in it.
    Malformed,
    /// No signature by this key.
    OtherKey,
    /// A signature by this key's name that it did not make.
    Forged,
    /// Signed by this key, but for another log.
    OtherLog,
}

impl std::fmt::Display for Unproven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a checkpoint",
            Self::OtherKey => "not signed by this log's key",
            Self::Forged => "the signature is not this log's",
            Self::OtherLog => "a checkpoint of another log",
        })
    }
}

impl Checkpoint {
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let origin = lines.next().filter(|origin| !origin.is_empty())?.to_owned();
        let digits = lines.next()?;
        let size: u64 = digits.parse().ok()?;
        let root = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
        // A size has one spelling; extension lines are not ours.
        (size.to_string() == digits && lines.next().is_none()).then_some(Self { origin, size, root })
    }
}

/// The key that signs; its name is the origin of the log.
#[derive(Clone)]
pub struct LogKey {
    name: String,
    key: SigningKey,
}

impl LogKey {
    pub fn new(name: String, seed: &[u8; 32]) -> Self {
        Self { name, key: SigningKey::from_bytes(seed) }
    }

    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// The signed note that asserts this size and root.
    pub fn sign(&self, size: u64, root: Hash) -> String {
        self.sign_text(&Checkpoint { origin: self.name.clone(), size, root }.text())
    }

    /// A signed note (C2SP) over some lines. Whoever signs another thing than a checkpoint begins with a line that is no
    /// log's name.
    pub fn sign_text(&self, text: &str) -> String {
        let signature = self.key.sign(text.as_bytes());
        let mut bytes = self.verifier().id().to_vec();
        bytes.extend(signature.to_bytes());
        format!("{text}\n\u{2014} {} {}\n", self.name, STANDARD.encode(bytes))
    }
}

/// A witness's key (C2SP tlog-cosignature, `cosignature/v1`): what it signs is a head of somebody else's log and when it saw it.
#[derive(Clone)]
pub struct Cosigner {
    name: String,
    key: SigningKey,
}

const COSIGNATURE: u8 = 4;

fn cosigned(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

impl Cosigner {
    pub fn new(name: String, seed: &[u8; 32]) -> Self {
        Self { name, key: SigningKey::from_bytes(seed) }
    }

    pub fn verifier(&self) -> CosignerKey {
        CosignerKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// The line that is added to a note: that this head was seen, and found to continue every earlier one, at a time in seconds
    /// since 1970.
    pub fn cosign(&self, head: &Checkpoint, time: u64) -> String {
        let signature = self.key.sign(cosigned(time, &head.text()).as_bytes());
        let mut bytes = self.verifier().id().to_vec();
        bytes.extend(time.to_be_bytes());
        bytes.extend(signature.to_bytes());
        format!("\u{2014} {} {}", self.name, STANDARD.encode(bytes))
    }
}

/// The key that checks a witness's cosignatures: `name+id+base64(type ‖ key)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignerKey {
    name: String,
    key: VerifyingKey,
}

impl CosignerKey {
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        key_id(&self.name, COSIGNATURE, &self.key)
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (name, key) = parse_key(text, COSIGNATURE)?;
        Some(Self { name, key })
    }

    /// When this witness saw a head, if the line is its cosignature of it.
    pub fn saw(&self, head: &Checkpoint, line: &str) -> Result<u64, Unproven> {
        let rest = line.strip_prefix("\u{2014} ").ok_or(Unproven::Malformed)?;
        let (name, encoded) = rest.split_once(' ').ok_or(Unproven::Malformed)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| Unproven::Malformed)?;
        let (id, rest) = bytes.split_at_checked(4).ok_or(Unproven::Malformed)?;
        let (time, signature) = rest.split_at_checked(8).ok_or(Unproven::Malformed)?;
        if name != self.name || id != self.id() {
            return Err(Unproven::OtherKey);
        }
        let time = u64::from_be_bytes(time.try_into().map_err(|_| Unproven::Malformed)?);
        let signature = Signature::from_slice(signature).map_err(|_| Unproven::Malformed)?;
        let text = cosigned(time, &head.text());
        self.key.verify(text.as_bytes(), &signature).map_err(|_| Unproven::Forged)?;
        Ok(time)
    }
}

impl std::fmt::Display for CosignerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&spell_key(&self.name, COSIGNATURE, &self.key))
    }
}

/// C2SP signed-note: the first four bytes of SHA-256(name ‖ line feed ‖ type ‖ key).
fn key_id(name: &str, kind: u8, key: &VerifyingKey) -> [u8; 4] {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', kind]).chain_update(key.as_bytes()).finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

fn spell_key(name: &str, kind: u8, key: &VerifyingKey) -> String {
    let id: String = key_id(name, kind, key).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut bytes = vec![kind];
    bytes.extend(key.as_bytes());
    format!("{name}+{id}+{}", STANDARD.encode(bytes))
}

/// Name and key of a verifier key of one type, if it is spelled as it should be.
fn parse_key(text: &str, wanted: u8) -> Option<(String, VerifyingKey)> {
    // Base64 may itself contain plus signs: the name and the id never do.
    let mut parts = text.trim().splitn(3, '+');
    let (name, _, key) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = STANDARD.decode(key).ok()?;
    let (kind, key) = bytes.split_first()?;
    let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
    let fits = !name.is_empty() && *kind == wanted && spell_key(name, wanted, &key) == text.trim();
    fits.then(|| (name.to_owned(), key))
}

/// The key that checks: `name+id+base64(type ‖ key)`, C2SP signed-note's verifier key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

impl VerifierKey {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The epoch that this key signs in: what stands behind `/e` in its name.
    pub fn epoch(&self) -> u32 {
        self.name.rsplit_once("/e").and_then(|(_, epoch)| epoch.parse().ok()).unwrap_or(0)
    }

    /// The same key under the name that it had in another epoch.
    pub fn of_epoch(&self, epoch: u32) -> Self {
        let base = self.name.rsplit_once("/e").map_or(self.name.as_str(), |(base, _)| base);
        Self { name: format!("{base}/e{epoch}"), key: self.key }
    }

    fn id(&self) -> [u8; 4] {
        key_id(&self.name, ED25519, &self.key)
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (name, key) = parse_key(text, ED25519)?;
        Some(Self { name, key })
    }

    /// The checkpoint in a note, if this key signed it.
    pub fn open(&self, note: &str) -> Result<Checkpoint, Unproven> {
        let text = self.signed(note)?;
        let checkpoint = Checkpoint::parse(&text).ok_or(Unproven::Malformed)?;
        if checkpoint.origin == self.name { Ok(checkpoint) } else { Err(Unproven::OtherLog) }
    }

    /// Did this key sign exactly these lines?
    pub fn open_text(&self, text: &str, note: &str) -> Result<(), Unproven> {
        if self.signed(note)? == text { Ok(()) } else { Err(Unproven::OtherLog) }
    }

    /// The lines of a note that this key signed.
    fn signed(&self, note: &str) -> Result<String, Unproven> {
        let (text, signatures) = note.split_once("\n\n").ok_or(Unproven::Malformed)?;
        let text = format!("{text}\n");
        let mut found = false;
        for line in signatures.strip_suffix('\n').ok_or(Unproven::Malformed)?.split('\n') {
            let rest = line.strip_prefix("\u{2014} ").ok_or(Unproven::Malformed)?;
            let (name, encoded) = rest.split_once(' ').ok_or(Unproven::Malformed)?;
            let bytes = STANDARD.decode(encoded).map_err(|_| Unproven::Malformed)?;
            let (id, signature) = bytes.split_at_checked(4).ok_or(Unproven::Malformed)?;
            if name != self.name || id != self.id() {
                continue;
            }
            let signature = Signature::from_slice(signature).map_err(|_| Unproven::Malformed)?;
            self.key.verify(text.as_bytes(), &signature).map_err(|_| Unproven::Forged)?;
            found = true;
        }
        if found { Ok(text) } else { Err(Unproven::OtherKey) }
    }
}

impl std::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&spell_key(&self.name, ED25519, &self.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> LogKey {
        LogKey::new("countersign.invalid/log_test/e0".into(), &[7; 32])
    }

    /// Version 1 of the checkpoint and key formats: these texts must never change.
    #[test]
    fn frozen_vectors() {
        assert_eq!(
            key().verifier().to_string(),
            "countersign.invalid/log_test/e0+449ae8d6+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
        );
        let note = key().sign(3, [9; 32]);
        assert!(note.starts_with(
            "countersign.invalid/log_test/e0\n3\nCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n\n\u{2014} countersign.invalid/log_test/e0 "
        ));
        assert_eq!(key().sign(3, [9; 32]), note, "Ed25519 is deterministic");
    }

    #[test]
    fn what_one_key_signs_only_it_opens() {
        let note = key().sign(3, [9; 32]);
        let ours = key().verifier();
        assert_eq!(ours.open(&note), Ok(Checkpoint { origin: ours.name().into(), size: 3, root: [9; 32] }));
        assert_eq!(VerifierKey::parse(&ours.to_string()), Some(ours.clone()));
        let other = LogKey::new(ours.name().into(), &[8; 32]).verifier();
        assert_eq!(other.open(&note), Err(Unproven::OtherKey));
        assert_eq!(ours.open(&note.replacen("\n3\n", "\n4\n", 1)), Err(Unproven::Forged));
        for broken in ["", "\n\n", "a\n\nb", &note[..note.len() - 10]] {
            assert!(ours.open(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn a_witness_says_what_it_saw_and_when() {
        let head = key().verifier().open(&key().sign(3, [9; 32])).unwrap_or_else(|why| panic!("{why}"));
        let witness = Cosigner::new("basel-1.example/witness".into(), &[5; 32]);
        let line = witness.cosign(&head, 1_800_000_000);
        let checks = witness.verifier();
        assert_eq!(checks.saw(&head, &line), Ok(1_800_000_000));
        assert_eq!(CosignerKey::parse(&checks.to_string()), Some(checks.clone()));
        assert_eq!(VerifierKey::parse(&checks.to_string()), None, "a witness's key is no log's");
        assert_eq!(checks.saw(&Checkpoint { size: 4, ..head.clone() }, &line), Err(Unproven::Forged));
        let other = Cosigner::new("basel-1.example/witness".into(), &[6; 32]).verifier();
        assert_eq!(other.saw(&head, &line), Err(Unproven::OtherKey));
        for broken in ["", "\u{2014} x", "\u{2014} basel-1.example/witness AAAA", &line[..line.len() - 4]] {
            assert!(checks.saw(&head, broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn an_independent_crate_agrees() {
        use signed_note::{Note, StandardVerifier, Verifier, VerifierList};
        let verifier = StandardVerifier::new(&key().verifier().to_string());
        assert!(verifier.is_ok());
        let list = VerifierList::new(verifier.into_iter().map(|one| Box::new(one) as Box<dyn Verifier>).collect());
        let note = Note::from_bytes(key().sign(3, [9; 32]).as_bytes());
        assert!(note.is_ok_and(|note| note.verify(&list).is_ok()));
    }
}
