//! Checking a bundle: the same rules in the server, on the command line and in a browser.
use super::{
    ALWAYS, CHECKPOINT, CONSISTENCY, Consistency, EVENTS, Entry, FORMAT, KEY, MANIFEST, Manifest, NotABundle, OLDER,
    README, RECORDS, Record, SIGNATURE, digest, readme, signed_text, unpack,
};
use crate::audit::{
    checkpoint::{Checkpoint, Unproven, VerifierKey},
    leaf::Leaf,
    query::{Key, Query},
    tree::{Hash, leaf_hash, verify_consistency, verify_inclusion},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Something that an untouched bundle never shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Packing(NotABundle),
    Missing(&'static str),
    Surplus(String),
    /// A file is not what its name says.
    Unreadable(String),
    /// A file is not the one that the manifest names.
    Changed(String),
    /// The manifest says something that its files deny.
    Manifest(&'static str),
    Signature(Unproven),
    /// The key inside is not the one that was given.
    OtherKey,
    Checkpoint {
        file: &'static str,
        why: Unproven,
    },
    /// The older tree is not the beginning of the newer one.
    Inconsistent,
    /// A line of the events: its number, and what is wrong with it.
    Event {
        line: usize,
        why: &'static str,
    },
    /// A disclosed field is not what was committed to.
    Disclosure {
        seq: u64,
        field: String,
    },
    /// A range of events lacks some.
    Incomplete {
        wanted: u64,
        found: u64,
    },
    /// A record that no event mentions.
    Unmentioned(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packing(why) => write!(f, "This is no evidence bundle: {why}."),
            Self::Missing(name) => write!(f, "{name} is missing."),
            Self::Surplus(name) => write!(f, "{name} does not belong to it."),
            Self::Unreadable(name) => write!(f, "{name} cannot be read as what it should be."),
            Self::Changed(name) => write!(f, "{name} is not the file that the manifest names: it was changed."),
            Self::Manifest(what) => write!(f, "The manifest does not fit: {what}."),
            Self::Signature(why) => write!(f, "The manifest's signature does not hold: {why}."),
            Self::OtherKey => f.write_str("It is signed by another key than the one you gave."),
            Self::Checkpoint { file, why } => write!(f, "{file} does not hold: {why}."),
            Self::Inconsistent => {
                f.write_str("The older tree is not the beginning of the newer one: the log was rewritten.")
            }
            Self::Event { line, why } => write!(f, "Line {line} of the events: {why}."),
            Self::Disclosure { seq, field } => {
                write!(f, "Event {seq}: the disclosed {field} is not what was recorded.")
            }
            Self::Incomplete { wanted, found } => {
                write!(f, "The range has {wanted} events, {found} are here: some were left out.")
            }
            Self::Unmentioned(id) => write!(f, "The record {id} is mentioned by no event here."),
        }
    }
}

/// What checking a bundle came to.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub findings: Vec<Finding>,
    pub manifest: Option<Manifest>,
    /// The key that it was checked with, and whether it was given or lay inside.
    pub key: Option<String>,
    pub key_given: bool,
    pub events: u64,
    pub disclosed: u64,
    pub withheld: u64,
    pub records: u64,
    /// The older tree that this one continues.
    pub continues: Option<u64>,
    /// A range of numbers that is all there.
    pub complete: bool,
}

/// The verdict as data.
#[derive(Serialize)]
pub struct Told {
    pub holds: bool,
    pub findings: Vec<String>,
    pub origin: String,
    pub query: String,
    pub made_at: String,
    pub key: String,
    pub key_given: bool,
    pub events: u64,
    pub disclosed: u64,
    pub withheld: u64,
    pub size: u64,
    pub root: String,
    pub continues: Option<u64>,
    pub complete: bool,
    pub scope: Vec<String>,
}

impl Verdict {
    /// Is something known to be wrong with a file?
    fn has(&self, file: &str) -> bool {
        self.findings.iter().any(|finding| matches!(finding, Finding::Changed(name) if name == file))
    }

    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }

    pub fn told(&self) -> Told {
        let manifest = self.manifest.clone();
        let part = |of: fn(Manifest) -> String| manifest.clone().map(of).unwrap_or_default();
        Told {
            holds: self.holds(),
            findings: self.findings.iter().map(ToString::to_string).collect(),
            origin: part(|manifest| manifest.origin),
            query: part(|manifest| manifest.query),
            made_at: part(|manifest| manifest.made_at),
            key: self.key.clone().unwrap_or_default(),
            key_given: self.key_given,
            events: self.events,
            disclosed: self.disclosed,
            withheld: self.withheld,
            size: manifest.as_ref().map_or(0, |manifest| manifest.size),
            root: part(|manifest| manifest.root),
            continues: self.continues,
            complete: self.complete,
            scope: manifest.as_ref().map_or(Vec::new(), |manifest| manifest.scope.clone()),
        }
    }
}

impl Told {
    /// What it came to, a line each. What a bundle says of itself never moves a terminal's cursor.
    pub fn lines(&self) -> Vec<String> {
        let plain =
            |line: String| line.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect();
        self.words().into_iter().map(plain).collect()
    }

    fn words(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.findings.iter().map(|finding| format!("WRONG: {finding}")).collect();
        if !self.holds {
            lines.push("This bundle does not hold.".into());
            return lines;
        }
        lines.push(format!("{} events of {}, as of {}", self.events, self.origin, self.made_at));
        let query = if self.query.is_empty() { "everything" } else { &self.query };
        lines.push(format!("asked for: {query}"));
        if !self.scope.is_empty() {
            lines.push(format!("of {} projects alone, not of the whole trail", self.scope.len()));
        }
        lines.push(format!("each is in the tree of {} events with root {}", self.size, self.root));
        if let Some(size) = self.continues {
            lines.push(format!("that tree continues the one of {size} events"));
        }
        lines.push(format!("{} sensitive fields are as recorded, {} are withheld", self.disclosed, self.withheld));
        lines.push(if self.complete {
            "the range is complete: none of its events is left out".into()
        } else {
            "not shown: that no other event fits the query".into()
        });
        lines.push(format!("key {}", self.key));
        if !self.key_given {
            lines.push("the key is the one inside: compare it with one that you got from somebody you trust".into());
        }
        lines.push("This bundle holds.".into());
        lines
    }
}

/// No bundle has more events.
const MOST_EVENTS: usize = 100_000;
/// Nor are its small files larger, in bytes.
const SMALL: usize = 64 * 1024;
const MOST_RECORDS: usize = 32 << 20;

/// More findings of one kind say nothing more.
const MOST: usize = 20;

/// Checks a bundle, with a key that is known from elsewhere or the one inside.
pub fn verify(bytes: &[u8], given: Option<&VerifierKey>) -> Verdict {
    let mut verdict = Verdict { key_given: given.is_some(), ..Verdict::default() };
    let files = match unpack(bytes) {
        Ok(files) => files,
        Err(why) => {
            verdict.findings.push(Finding::Packing(why));
            return verdict;
        }
    };
    let files: BTreeMap<&str, &[u8]> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    if let Err(finding) = check(&files, given, &mut verdict) {
        verdict.findings.push(finding);
    }
    verdict.findings.truncate(MOST);
    verdict
}

/// Stops at what makes everything behind it meaningless.
fn check(files: &BTreeMap<&str, &[u8]>, given: Option<&VerifierKey>, verdict: &mut Verdict) -> Result<(), Finding> {
    for name in ALWAYS {
        if !files.contains_key(name) {
            return Err(Finding::Missing(name));
        }
    }
    for name in [MANIFEST, SIGNATURE, KEY, CHECKPOINT, OLDER, CONSISTENCY, README] {
        if files.get(name).is_some_and(|bytes| bytes.len() > SMALL) {
            return Err(Finding::Unreadable(name.to_owned()));
        }
    }
    if files[RECORDS].len() > MOST_RECORDS {
        return Err(Finding::Unreadable(RECORDS.into()));
    }
    let manifest_bytes = files[MANIFEST];
    let inside = text(KEY, files[KEY])?;
    let inside = VerifierKey::parse(inside).ok_or_else(|| Finding::Unreadable(KEY.into()))?;
    let key = given.unwrap_or(&inside);
    verdict.key = Some(key.to_string());
    if *key != inside {
        return Err(Finding::OtherKey);
    }
    let signature = text(SIGNATURE, files[SIGNATURE])?;
    key.open_text(&signed_text(manifest_bytes), signature).map_err(Finding::Signature)?;
    // One signature: a second one would be bytes that nothing vouches for.
    if signature.matches('\u{2014}').count() != 1 {
        return Err(Finding::Signature(Unproven::Malformed));
    }
    // Nothing is read of it before it is known whose it is.
    let manifest: Manifest = json(MANIFEST, manifest_bytes)?;
    verdict.manifest = Some(manifest.clone());
    if manifest.format != FORMAT {
        return Err(Finding::Manifest("this version does not know its format"));
    }
    for (name, bytes) in files.iter().filter(|(name, _)| ![MANIFEST, SIGNATURE].contains(*name)) {
        match manifest.files.get(*name) {
            None => verdict.findings.push(Finding::Surplus((*name).to_owned())),
            Some(wanted) if *wanted != digest(bytes) => verdict.findings.push(Finding::Changed((*name).to_owned())),
            Some(_) => {}
        }
    }
    if manifest.files.keys().any(|name| !files.contains_key(name.as_str())) {
        verdict.findings.push(Finding::Manifest("it names files that are not here"));
    }
    if files[README] != readme(&Manifest { files: BTreeMap::new(), ..manifest.clone() }).as_bytes() {
        verdict.findings.push(Finding::Manifest("the README says something else"));
    }
    let head = opened(key, CHECKPOINT, files[CHECKPOINT])?;
    if (head.size, STANDARD.encode(head.root)) != (manifest.size, manifest.root.clone())
        || head.origin != manifest.origin
    {
        verdict.findings.push(Finding::Manifest("its tree is not that of the checkpoint"));
    }
    consistency(files, key, &head, verdict)?;
    let mentioned = events(files[EVENTS], &head, &manifest, verdict);
    records(files, &mentioned, verdict)
}

fn text<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, Finding> {
    std::str::from_utf8(bytes).map_err(|_| Finding::Unreadable(name.to_owned()))
}

fn json<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, Finding> {
    serde_json::from_slice(bytes).map_err(|_| Finding::Unreadable(name.to_owned()))
}

fn opened(key: &VerifierKey, file: &'static str, note: &[u8]) -> Result<Checkpoint, Finding> {
    key.open(text(file, note)?).map_err(|why| Finding::Checkpoint { file, why })
}

fn hashes(proof: &[String]) -> Option<Vec<Hash>> {
    proof.iter().map(|hash| STANDARD.decode(hash).ok()?.try_into().ok()).collect()
}

fn consistency(
    files: &BTreeMap<&str, &[u8]>,
    key: &VerifierKey,
    head: &Checkpoint,
    verdict: &mut Verdict,
) -> Result<(), Finding> {
    match (files.get(OLDER), files.get(CONSISTENCY)) {
        (None, None) => Ok(()),
        (Some(older), Some(proof)) => {
            let older = opened(key, OLDER, older)?;
            let told: Consistency = json(CONSISTENCY, proof)?;
            let proof = hashes(&told.proof).ok_or_else(|| Finding::Unreadable(CONSISTENCY.into()))?;
            let fits = (told.from, told.to) == (older.size, head.size)
                && verify_consistency(older.size, &older.root, head.size, &head.root, &proof);
            if fits {
                verdict.continues = Some(older.size);
            } else {
                verdict.findings.push(Finding::Inconsistent);
            }
            Ok(())
        }
        (None, _) => Err(Finding::Missing(OLDER)),
        (_, None) => Err(Finding::Missing(CONSISTENCY)),
    }
}

/// Checks the events; returns the ids that they mention.
fn events(bytes: &[u8], head: &Checkpoint, manifest: &Manifest, verdict: &mut Verdict) -> BTreeSet<String> {
    let mut mentioned = BTreeSet::new();
    let mut before: Option<u64> = None;
    let mut seqs: Option<(u64, u64)> = None;
    let bytes = match bytes.strip_suffix(b"\n") {
        Some(lines) => lines,
        None if bytes.is_empty() => bytes,
        None => {
            verdict.findings.push(Finding::Event { line: 1, why: "the last one does not end" });
            return mentioned;
        }
    };
    let lines = bytes.split(|byte| *byte == b'\n').filter(|_| !bytes.is_empty());
    for (place, line) in lines.take(MOST_EVENTS + 1).enumerate() {
        if place == MOST_EVENTS {
            verdict.findings.push(Finding::Event { line: place + 1, why: "more events than a bundle has" });
            return mentioned;
        }
        match event(line, head, verdict) {
            Ok(leaf) => {
                let seq = leaf.seq;
                let subject = leaf.subject;
                mentioned.extend([subject.request, subject.grant, subject.row].into_iter().flatten());
                mentioned.extend(leaf.policy.map(|policy| policy.id));
                if before.is_some_and(|before| before >= seq) {
                    let why = "the events are not in their order, or one is here twice";
                    verdict.findings.push(Finding::Event { line: place + 1, why });
                }
                before = Some(seq);
                seqs = Some((seqs.map_or(seq, |(first, _)| first), seq));
                verdict.events += 1;
            }
            Err(why) => verdict.findings.push(Finding::Event { line: place + 1, why }),
        }
        if verdict.findings.len() >= MOST {
            return mentioned;
        }
    }
    if verdict.events != manifest.events {
        verdict.findings.push(Finding::Manifest("it counts other events than are here"));
    }
    if manifest.redacted && verdict.disclosed > 0 {
        verdict.findings.push(Finding::Manifest("it is called redacted, and discloses fields"));
    }
    if let Some((from, to)) = range(&manifest.query).filter(|_| manifest.scope.is_empty() && !verdict.has(EVENTS)) {
        let last = to.min(manifest.events_below.saturating_sub(1));
        let wanted = if from > last { 0 } else { last - from + 1 };
        let inside = seqs.is_none_or(|(first, end)| from <= first && end <= last);
        if wanted == verdict.events && inside {
            verdict.complete = true;
        } else {
            verdict.findings.push(Finding::Incomplete { wanted, found: verdict.events });
        }
    }
    mentioned
}

/// The numbers of a query that asks for a range alone: then nothing may be left out.
fn range(query: &str) -> Option<(u64, u64)> {
    let query = Query::parse(query).ok()?;
    let [term] = query.terms.as_slice() else { return None };
    if term.negated || term.key != Some(Key::Event) {
        return None;
    }
    let (from, to) = term.value.split_once("..").unwrap_or((&term.value, &term.value));
    let number = |text: &str| text.parse::<u64>().ok().filter(|seq| *seq < 1 << 53);
    number(from).zip(number(to)).filter(|(from, to)| from <= to)
}

fn event(line: &[u8], head: &Checkpoint, verdict: &mut Verdict) -> Result<Leaf, &'static str> {
    let entry: Entry = serde_json::from_slice(line).map_err(|_| "it is no event")?;
    // One spelling: what says the same in other bytes is not what was packed.
    if serde_json::to_vec(&entry).map_err(|_| "it is no event")? != line {
        return Err("it is spelled in another way");
    }
    let bytes = STANDARD.decode(&entry.leaf).map_err(|_| "its leaf is not base64")?;
    let leaf = Leaf::decode(&bytes).map_err(|_| "its leaf is none of this format")?;
    if leaf.seq != entry.seq {
        return Err("its number is not that of its leaf");
    }
    let proof = hashes(&entry.proof).ok_or("its proof is not made of hashes")?;
    if !verify_inclusion(&leaf_hash(&bytes), leaf.seq, head.size, &proof, &head.root) {
        return Err("its proof does not lead to the tree: the event or the proof was changed");
    }
    for (field, told) in &entry.disclosed {
        let salt = STANDARD.decode(&told.salt).ok().and_then(|salt| salt.try_into().ok());
        let opens = leaf.committed.get(field).zip(salt);
        if opens.is_some_and(|(commitment, salt): (_, [u8; 16])| commitment.opens(field, &told.value, &salt)) {
            verdict.disclosed += 1;
        } else {
            verdict.findings.push(Finding::Disclosure { seq: leaf.seq, field: field.clone() });
        }
    }
    verdict.withheld += leaf.committed.keys().filter(|field| !entry.disclosed.contains_key(*field)).count() as u64;
    Ok(leaf)
}

fn records(files: &BTreeMap<&str, &[u8]>, mentioned: &BTreeSet<String>, verdict: &mut Verdict) -> Result<(), Finding> {
    let records: Vec<Record> = json(RECORDS, files[RECORDS])?;
    for record in records.iter().filter(|record| !mentioned.contains(&record.id)) {
        verdict.findings.push(Finding::Unmentioned(record.id.clone()));
    }
    verdict.records = records.len() as u64;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::evidence::Disclosed;
    use crate::audit::{
        checkpoint::LogKey,
        evidence::{Parts, assemble, base64, line, pack},
        leaf::{Commitment, tests::example},
        tree::{Frontier, consistency_ranges, inclusion_ranges},
    };

    const SIZE: u64 = 37;

    fn key() -> LogKey {
        LogKey::new("countersign.invalid/log_test/e0".into(), &[7; 32])
    }

    fn leaf(seq: u64) -> Leaf {
        let comment = Commitment::new("comment", "Ticket checked.", &[3; 16], &[5; 32]);
        Leaf { seq, committed: [("comment".to_owned(), comment)].into(), ..example() }
    }

    fn root(from: u64, to: u64) -> Hash {
        let mut tree = Frontier::default();
        (from..to).for_each(|seq| tree.push(leaf_hash(&leaf(seq).encode().unwrap())));
        tree.root()
    }

    fn entry(seq: u64, redacted: bool) -> Entry {
        let told = Disclosed { salt: base64(&[3; 16]), value: "Ticket checked.".into() };
        Entry {
            seq,
            leaf: base64(&leaf(seq).encode().unwrap()),
            proof: inclusion_ranges(seq, SIZE).into_iter().map(|(from, to)| base64(&root(from, to))).collect(),
            disclosed: if redacted { BTreeMap::new() } else { [("comment".to_owned(), told)].into() },
        }
    }

    fn parts(query: &str, seqs: &[u64], redacted: bool) -> Parts {
        let head =
            |size| (key().sign(size, root(0, size)), key().verifier().open(&key().sign(size, root(0, size))).unwrap());
        let proof = consistency_ranges(8, SIZE).into_iter().map(|(from, to)| base64(&root(from, to))).collect();
        let request = example().subject.request.unwrap();
        Parts {
            query: query.into(),
            zone: "UTC".into(),
            events_below: SIZE - 1,
            scope: Vec::new(),
            made_at: example().at,
            made_by: "per_01m846kxs0e8kbcf2tpy8vep2a".into(),
            redacted,
            checkpoint: head(SIZE),
            older: Some((head(8).0, Consistency { from: 8, to: SIZE, proof })),
            events: seqs.iter().flat_map(|seq| line(&entry(*seq, redacted))).collect(),
            count: seqs.len() as u64,
            records: vec![Record { kind: "request".into(), id: request, fields: BTreeMap::new() }],
        }
    }

    fn bundle() -> Vec<u8> {
        assemble(parts("outcome:allowed", &[9, 12, 36], false), &key()).unwrap()
    }

    /// The bundle with one file changed, packed again, and its digest and signature made anew where `forged` says so.
    fn bent(name: &str, forged: Option<&LogKey>, bend: impl Fn(String) -> String) -> Vec<Finding> {
        let packed = bundle();
        let mut files: Vec<(String, Vec<u8>)> =
            unpack(&packed).unwrap().into_iter().map(|(name, bytes)| (name, bytes.to_vec())).collect();
        for (known, bytes) in &mut files {
            if known == name {
                *bytes = bend(String::from_utf8(bytes.clone()).unwrap()).into_bytes();
            }
        }
        if let Some(key) = forged {
            let find =
                |files: &[(String, Vec<u8>)], name: &str| files.iter().position(|(known, _)| known == name).unwrap();
            let at = find(&files, MANIFEST);
            let mut manifest: Manifest = serde_json::from_slice(&files[at].1).unwrap();
            for (name, bytes) in files.iter().filter(|(name, _)| name != MANIFEST && name != SIGNATURE) {
                manifest.files.insert(name.clone(), digest(bytes));
            }
            files[at].1 = serde_json::to_vec_pretty(&manifest).unwrap();
            let signature = super::super::sign(&files[at].1, key).into_bytes();
            let at = find(&files, SIGNATURE);
            files[at].1 = signature;
        }
        let packed: Vec<(&str, &[u8])> = files
            .iter()
            .filter(|(_, bytes)| !bytes.is_empty())
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
            .collect();
        verify(&pack(&packed).unwrap(), Some(&key().verifier())).findings
    }

    #[test]
    fn an_untouched_bundle_holds_and_says_what_it_shows() {
        let verdict = verify(&bundle(), Some(&key().verifier()));
        assert_eq!(verdict.findings, vec![]);
        assert_eq!((verdict.events, verdict.disclosed, verdict.withheld, verdict.records), (3, 3, 0, 1));
        assert_eq!((verdict.continues, verdict.complete, verdict.key_given), (Some(8), false, true));
        assert!(verify(&bundle(), None).holds(), "by the key inside");
        let redacted = assemble(parts("x", &[9, 12], true), &key()).unwrap();
        let verdict = verify(&redacted, None);
        assert_eq!((verdict.holds(), verdict.disclosed, verdict.withheld), (true, 0, 2), "withheld, and still proven");
        let range = |query: &str, seqs: &[u64]| verify(&assemble(parts(query, seqs, false), &key()).unwrap(), None);
        assert!(range("event:9..11", &[9, 10, 11]).complete);
        assert_eq!(range("event:9..11", &[9, 11]).findings, [Finding::Incomplete { wanted: 3, found: 2 }]);
        assert!(range("event:34..99", &[34, 35]).complete, "as far as the log went when it was asked");
        // As many as a range has, but not those of the range.
        let other = Finding::Incomplete { wanted: 3, found: 3 };
        assert_eq!(range("event:9..11", &[9, 11, 36]).findings, [other]);
        for odd in ["event:11..9", "event:0..18446744073709551615", "-event:9..11", "event:9..11 ip:1.1.1.1"] {
            assert!(!range(odd, &[]).complete, "{odd}");
        }
        let led = Parts { scope: vec!["prj_x".into()], ..parts("event:9..11", &[9, 11], false) };
        let verdict = verify(&assemble(led, &key()).unwrap(), None);
        assert!(verdict.holds() && !verdict.complete, "a lead's bundle is of the lead's projects");
    }

    #[test]
    fn every_bit_of_it_counts() {
        let packed = bundle();
        // Every eighth bit, beginning elsewhere in each byte: all kinds of place are met.
        for at in 0..packed.len() {
            let mut bent = packed.clone();
            bent[at] ^= 1 << (at % 8);
            assert!(!verify(&bent, None).holds(), "bit {} of byte {at}", at % 8);
        }
    }

    #[test]
    fn every_kind_of_change_is_named() {
        use Finding::*;
        let say = |findings: Vec<Finding>| findings.into_iter().next();
        let changed = |name: &str| Some(Changed(name.to_owned()));
        let ours = key();
        // Without the key, what is changed is named by its file.
        for name in [README, EVENTS, RECORDS, CHECKPOINT, OLDER, CONSISTENCY] {
            let bend = |text: String| {
                if name == CHECKPOINT || name == OLDER { text + "\n" } else { format!("{text} ") }
            };
            let found = bent(name, None, bend);
            assert!(found.contains(&Changed(name.to_owned())), "{name}: {found:?}");
        }
        assert_eq!(say(bent(KEY, None, |text| text + "\n")), changed(KEY));
        assert!(matches!(
            say(bent(MANIFEST, None, |text| text.replace("outcome:allowed", "outcome:refused"))),
            Some(Signature(_))
        ));
        assert!(matches!(
            say(bent(SIGNATURE, None, |text| text.clone() + text.split("\n\n").nth(1).unwrap())),
            Some(Signature(_))
        ));
        for name in ALWAYS {
            assert_eq!(
                say(bent(name, None, |_| String::new())),
                Some(Missing(ALWAYS.iter().find(|known| **known == name).unwrap()))
            );
        }
        assert_eq!(say(bent(OLDER, None, |_| String::new())), Some(Manifest("it names files that are not here")));
        // Whoever has the log's key can sign another manifest; the tree still denies it.
        let forged = |name: &str, from: &str, to: &str| say(bent(name, Some(&ours), |text| text.replacen(from, to, 1)));
        let a_leaf = base64(&leaf(12).encode().unwrap());
        let another = base64(&Leaf { reason: Some("other".into()), ..leaf(12) }.encode().unwrap());
        assert_eq!(
            forged(EVENTS, &a_leaf, &another),
            Some(Event { line: 2, why: "its proof does not lead to the tree: the event or the proof was changed" })
        );
        assert!(matches!(forged(EVENTS, "Ticket checked.", "Ticket missing."), Some(Disclosure { seq: 9, .. })));
        assert!(matches!(forged(EVENTS, "\"seq\":9", "\"seq\":10"), Some(Event { line: 1, .. })));
        assert!(matches!(forged(EVENTS, "{\"seq\"", "{ \"seq\""), Some(Event { line: 1, .. })));
        let line_of = |seq| String::from_utf8(line(&entry(seq, false))).unwrap();
        assert_eq!(
            forged(EVENTS, &line_of(12), ""),
            Some(Manifest("it counts other events than are here")),
            "a line is gone"
        );
        assert!(matches!(forged(EVENTS, &line_of(12), &line_of(9)), Some(Event { line: 2, .. })), "one is here twice");
        let lie = key().sign(SIZE, [1; 32]);
        let truth = key().sign(SIZE, root(0, SIZE));
        assert_eq!(forged(CHECKPOINT, &truth, &lie), Some(Manifest("its tree is not that of the checkpoint")));
        let older = key().sign(8, root(0, 8));
        assert_eq!(forged(OLDER, &older, &key().sign(8, [1; 32])), Some(Inconsistent));
        assert_eq!(forged(CONSISTENCY, "\"from\":8", "\"from\":9"), Some(Inconsistent));
        assert!(matches!(
            forged(RECORDS, "req_01m846kxs0e8kbcf2tpy8vep2a", "req_01m846kxs0e8kbcf2tpy8vep2b"),
            Some(Unmentioned(_))
        ));
        assert_eq!(forged(README, "unchanged", "changed"), Some(Manifest("the README says something else")));
        // Another key, with everything signed anew by it.
        let theirs = LogKey::new(ours.verifier().name().into(), &[8; 32]);
        assert_eq!(say(bent(KEY, Some(&theirs), |_| format!("{}\n", theirs.verifier()))), Some(OtherKey));
    }

    #[test]
    fn what_is_no_bundle_is_said() {
        for bytes in [&b""[..], b"PK", b"not a zip", &[0; 100]] {
            assert!(matches!(verify(bytes, None).findings[..], [Finding::Packing(_)]));
        }
        // A zip of another program: compressed, or with folders.
        let zipped = include_bytes!("../../../tests/__fuzz__/bundle/corpus/other.zip");
        assert!(matches!(verify(zipped, None).findings[..], [Finding::Packing(NotABundle::Otherwise(_))]));
    }
}
