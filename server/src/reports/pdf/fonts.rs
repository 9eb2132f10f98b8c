//! The fonts of a document, and how wide text is in them.
use super::Failure;
use krilla::text::Font;
use skrifa::{
    FontRef, MetadataProvider,
    instance::{LocationRef, Size},
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Face {
    Plain,
    Bold,
    /// For tables: more fits beside each other.
    Narrow,
    NarrowBold,
}

const FACES: [Face; 4] = [Face::Plain, Face::Bold, Face::Narrow, Face::NarrowBold];

fn bytes(face: Face) -> &'static [u8] {
    match face {
        Face::Plain => dejavu::sans::regular(),
        Face::Bold => dejavu::sans::bold(),
        Face::Narrow => dejavu::sans_condensed::regular(),
        Face::NarrowBold => dejavu::sans_condensed::bold(),
    }
}

pub struct Fonts {
    fonts: HashMap<Face, (Font, FontRef<'static>)>,
    /// Widths of letters at size 1; nothing for what the font has no sign for.
    widths: Mutex<HashMap<(Face, char), Option<f32>>>,
}

impl Fonts {
    pub fn load() -> Result<Self, Failure> {
        let mut fonts = HashMap::new();
        for face in FACES {
            let font = Font::new(bytes(face).into(), 0).ok_or(Failure::Font)?;
            let read = FontRef::new(bytes(face)).map_err(|_| Failure::Font)?;
            fonts.insert(face, (font, read));
        }
        Ok(Self { fonts, widths: Mutex::default() })
    }

    pub fn font(&self, face: Face) -> Option<Font> {
        self.fonts.get(&face).map(|(font, _)| font.clone())
    }

    fn letter(&self, letter: char, face: Face) -> Option<f32> {
        let mut widths = self.widths.lock().unwrap_or_else(PoisonError::into_inner);
        *widths.entry((face, letter)).or_insert_with(|| {
            let (_, font) = self.fonts.get(&face)?;
            let glyph = font.charmap().map(letter).filter(|glyph| glyph.to_u32() != 0)?;
            font.glyph_metrics(Size::new(1.0), LocationRef::default()).advance_width(glyph)
        })
    }

    pub fn width(&self, text: &str, face: Face, size: f32) -> f32 {
        text.chars().filter_map(|letter| self.letter(letter, face)).sum::<f32>() * size
    }

    /// The text as this face can show it: what it has no sign for, and what would hide or turn text around, is a �.
    pub fn shown(&self, text: &str, face: Face) -> String {
        text.chars()
            .map(|letter| match letter {
                '\n' | '\t' | '\r' => ' ',
                _ if letter.is_control() || is_format(letter) || is_private(letter) => '\u{fffd}',
                _ if self.letter(letter, face).is_none() => '\u{fffd}',
                _ => letter,
            })
            .collect()
    }

    /// Lines no wider than that: broken at spaces; a word that is wider than a line behind a mark in it, or anywhere.
    pub fn lines(&self, text: &str, face: Face, size: f32, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        for paragraph in text.split('\n') {
            let mut line = String::new();
            for word in self.shown(paragraph, face).split(' ').filter(|word| !word.is_empty()) {
                let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
                if self.width(&joined, face, size) <= width {
                    line = joined;
                    continue;
                }
                if !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                }
                for part in word.split_inclusive(['/', '-', '.', ':', '@', '=', '&', '?']) {
                    if !line.is_empty() && self.width(&format!("{line}{part}"), face, size) > width {
                        lines.push(std::mem::take(&mut line));
                    }
                    for letter in part.chars() {
                        line.push(letter);
                        if self.width(&line, face, size) > width && line.chars().count() > 1 {
                            line.pop();
                            lines.push(std::mem::replace(&mut line, letter.to_string()));
                        }
                    }
                }
            }
            if !line.is_empty() {
                lines.push(line);
            }
        }
        lines
    }
}

/// A line in runs of one direction: a shaper takes one for the whole of what it is given. Right-to-left words that follow
/// each other are one run, with the spaces between them.
pub fn runs(line: &str) -> Vec<(bool, String)> {
    let mut runs: Vec<(bool, String)> = Vec::new();
    for word in line.split_inclusive(' ') {
        for letter in word.chars() {
            let back = is_right_to_left(letter) || (letter == ' ' && runs.last().is_some_and(|(back, _)| *back));
            match runs.last_mut() {
                Some((last, text)) if *last == back => text.push(letter),
                _ => runs.push((back, letter.to_string())),
            }
        }
    }
    runs
}

/// Letters of Hebrew, Arabic and their neighbours, and their presentation forms.
fn is_right_to_left(letter: char) -> bool {
    matches!(letter, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' | '\u{10800}'..='\u{10fff}'
        | '\u{1e800}'..='\u{1efff}')
}

/// Characters of Unicode's category Cf that text is hidden or turned around with.
fn is_format(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn is_private(letter: char) -> bool {
    matches!(letter, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}
