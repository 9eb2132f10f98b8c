//! The one way in which a bundle's files lie in a zip archive (PKWARE APPNOTE 6.3.9): stored, not compressed, one after the
//! other, without dates, comments, extra fields or anything else that could say more than the files themselves.
//!
//! Every zip program opens it. Reading accepts this form alone, by writing what it found again and comparing all bytes: what
//! unpacks to more than it is, leads out of its folder or differs in one bit is no bundle.
use std::fmt;

/// No bundle is larger, in bytes.
pub const LARGEST: usize = 256 << 20;
/// No bundle has more files.
pub const MOST_FILES: usize = 32;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// 1 January 1980, midnight: what a date that says nothing looks like.
const NO_DATE: u16 = 0x0021;

/// Why bytes are no archive of this form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotABundle {
    TooLarge,
    /// It begins otherwise, or ends before its files do.
    NotAZip,
    /// Something that this form does not have: compression, a folder, a comment, a date.
    Otherwise(&'static str),
    /// A file's bytes are not those of its checksum.
    Damaged(String),
}

impl fmt::Display for NotABundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "it is larger than {} MiB", LARGEST >> 20),
            Self::NotAZip => f.write_str("it is no zip archive, or its end is missing"),
            Self::Otherwise(what) => write!(f, "it is not packed as a bundle is: {what}"),
            Self::Damaged(name) => write!(f, "the bytes of {name} are not those that were packed"),
        }
    }
}

/// Names of a bundle's files: letters, digits, dot and hyphen; no folders.
fn fits(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        && !name.starts_with('.')
}

pub fn pack(files: &[(&str, &[u8])]) -> Option<Vec<u8>> {
    let size: usize = files.iter().map(|(name, bytes)| bytes.len() + 2 * name.len() + 80).sum();
    if files.len() > MOST_FILES || size > LARGEST || !files.iter().all(|(name, _)| fits(name)) {
        return None;
    }
    let (mut packed, mut directory) = (Vec::with_capacity(size + 22), Vec::new());
    for (name, bytes) in files {
        let (at, crc, length) = (packed.len() as u32, crc32(bytes), bytes.len() as u32);
        let shared = |out: &mut Vec<u8>| {
            // Version 1.0, no flags, stored, no date.
            [10, 0, 0, 0, NO_DATE].iter().for_each(|number: &u16| out.extend(number.to_le_bytes()));
            [crc, length, length].iter().for_each(|number| out.extend(number.to_le_bytes()));
            [name.len() as u16, 0].iter().for_each(|number| out.extend(number.to_le_bytes()));
        };
        packed.extend(LOCAL.to_le_bytes());
        shared(&mut packed);
        packed.extend(name.as_bytes());
        packed.extend_from_slice(bytes);
        directory.extend(CENTRAL.to_le_bytes());
        directory.extend(10_u16.to_le_bytes());
        shared(&mut directory);
        // No comment, first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (at, length, count) = (packed.len() as u32, directory.len() as u32, files.len() as u16);
    packed.extend(directory);
    packed.extend(END.to_le_bytes());
    [0, 0, count, count].iter().for_each(|number| packed.extend(number.to_le_bytes()));
    [length, at].iter().for_each(|number| packed.extend(number.to_le_bytes()));
    packed.extend(0_u16.to_le_bytes());
    Some(packed)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
}

/// The files of a bundle, in their order.
pub fn unpack(bytes: &[u8]) -> Result<Vec<(String, &[u8])>, NotABundle> {
    if bytes.len() > LARGEST {
        return Err(NotABundle::TooLarge);
    }
    let mut files: Vec<(String, &[u8])> = Vec::new();
    let mut reader = Reader { bytes, at: 0 };
    loop {
        match reader.u32().ok_or(NotABundle::NotAZip)? {
            LOCAL => {}
            CENTRAL | END if !files.is_empty() => break,
            _ => return Err(NotABundle::NotAZip),
        }
        if files.len() == MOST_FILES {
            return Err(NotABundle::Otherwise("too many files"));
        }
        let file = local(&mut reader)?;
        if files.iter().any(|(known, _)| *known == file.0) {
            return Err(NotABundle::Otherwise("two files of one name"));
        }
        files.push(file);
    }
    let named: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    match pack(&named) {
        Some(packed) if packed == bytes => Ok(files),
        _ => Err(NotABundle::Otherwise("its directory does not say what its files are")),
    }
}

fn local<'a>(reader: &mut Reader<'a>) -> Result<(String, &'a [u8]), NotABundle> {
    let head = (|| {
        let numbers = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        Some((numbers, reader.u32()?, reader.u32()?, reader.u32()?, reader.u16()?, reader.u16()?))
    })();
    let (numbers, crc, packed, length, name, extra) = head.ok_or(NotABundle::NotAZip)?;
    match numbers {
        [10, 0, 0, 0, NO_DATE] => {}
        [_, _, method, ..] if method != 0 => return Err(NotABundle::Otherwise("a file is compressed")),
        _ => return Err(NotABundle::Otherwise("a file has a date or a flag")),
    }
    if packed != length || extra != 0 {
        return Err(NotABundle::Otherwise("a file has more than its bytes"));
    }
    let name = reader.take(name.into()).and_then(|name| std::str::from_utf8(name).ok());
    let name = name.filter(|name| fits(name)).ok_or(NotABundle::Otherwise("a file's name is none of a bundle's"))?;
    let bytes = reader.take(length as usize).ok_or(NotABundle::NotAZip)?;
    if crc32(bytes) != crc {
        return Err(NotABundle::Damaged(name.to_owned()));
    }
    Ok((name.to_owned(), bytes))
}

/// CRC-32 as zip has it (ISO 3309, reflected 0xEDB88320).
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut n = 0;
        while n < 256 {
            let (mut value, mut bit) = (n as u32, 0);
            while bit < 8 {
                value = if value & 1 == 1 { 0xEDB8_8320 ^ (value >> 1) } else { value >> 1 };
                bit += 1;
            }
            table[n] = value;
            n += 1;
        }
        table
    };
    !bytes.iter().fold(u32::MAX, |crc, byte| TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_zips() {
        // The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn names_stay_in_their_folder() {
        for name in ["../x", "/x", "a/b", "a\\b", ".hidden", "", "C:x", "ä", &"x".repeat(65)] {
            assert_eq!(pack(&[(name, b"x")]), None, "{name}");
        }
    }

    #[test]
    fn every_bit_counts() {
        let packed = pack(&[("README.txt", b"read me".as_slice()), ("events.jsonl", b"{}\n")]).unwrap();
        let files = unpack(&packed).unwrap();
        assert_eq!(files, [("README.txt".to_owned(), b"read me".as_slice()), ("events.jsonl".into(), b"{}\n")]);
        for at in 0..packed.len() {
            for bit in 0..8 {
                let mut bent = packed.clone();
                bent[at] ^= 1 << bit;
                assert!(unpack(&bent).is_err(), "bit {bit} of byte {at}");
            }
            assert!(unpack(&packed[..at]).is_err(), "cut at {at}");
        }
        assert!(unpack(&[packed.clone(), vec![0]].concat()).is_err());
        assert!(unpack(&[packed.clone(), packed].concat()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = unpack(&bytes);
            let _ = unpack(&[&LOCAL.to_le_bytes(), bytes.as_slice()].concat());
        }
    }
}
