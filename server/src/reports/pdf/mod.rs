//! A report for people as PDF: tagged (PDF/UA-1, ISO 14289-1), with headings, an outline, charts with their words, page
//! numbers. What a document is stands here; `layout` puts it on pages, `draw` writes it.
mod draw;
mod fonts;
mod layout;

use app::time::Moment;

/// A part of a document, in reading order.
pub enum Block {
    /// From level 2: the title is level 1.
    Heading(u16, String),
    Text(String),
    /// Words and what they come to.
    Facts(Vec<(String, String)>),
    /// A chart of counts: its title says what they are of.
    Bars {
        title: String,
        bars: Vec<(String, u64)>,
    },
    Table {
        title: String,
        columns: Vec<String>,
        rows: Vec<Vec<String>>,
    },
    /// What follows begins a page.
    Page,
}

pub struct Document {
    pub title: String,
    /// At the foot of every page, beside its number.
    pub foot: String,
    pub made_at: Moment,
    pub blocks: Vec<Block>,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("a font could not be read")]
    Font,
    #[error("the document does not keep PDF/UA-1: {0}")]
    Invalid(String),
}

/// The file. It takes a while: not for the threads that answer.
pub fn write(document: &Document) -> Result<Vec<u8>, Failure> {
    let fonts = fonts::Fonts::load()?;
    let laid = layout::lay_out(&fonts, document);
    draw::draw(&fonts, document, laid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(rows: usize) -> Document {
        let hostile = [
            "ordinary",
            "tab\tand\nline",
            "\u{202e}reversed\u{0000}",
            "一二三 \u{1f511}\u{e000} INC-1 שלום 42",
            "ﬁ ffi Ilić-Brandt Ærøskøbing Žluťoučký",
            "x",
        ];
        let long = "a-word-without-any-space-in-it".repeat(40);
        Document {
            title: "Access: who can take what".into(),
            foot: "Meridian Freight".into(),
            made_at: Moment::default(),
            blocks: vec![
                Block::Heading(2, "What this is".into()),
                Block::Text("One sentence. ".repeat(40)),
                Block::Text(String::new()),
                Block::Facts(vec![("Query".into(), long.clone()), ("Nothing".into(), String::new())]),
                Block::Bars { title: "By level".into(), bars: vec![("production".into(), 7), (long, 0)] },
                Block::Bars { title: "By nothing".into(), bars: vec![] },
                Block::Page,
                Block::Heading(2, "Rows".into()),
                Block::Table {
                    title: "Rows".into(),
                    columns: hostile.iter().map(|cell| (*cell).to_owned()).collect(),
                    rows: (0..rows).map(|n| hostile.iter().map(|cell| format!("{cell} {n}")).collect()).collect(),
                },
            ],
        }
    }

    #[test]
    fn a_document_is_tagged_and_keeps_pdf_ua() {
        for rows in [0, 1, 300] {
            // That it is written at all means that the validator found nothing against PDF/UA-1.
            let bytes = write(&document(rows)).unwrap();
            assert!(bytes.starts_with(b"%PDF-1.7"));
            let text = String::from_utf8_lossy(&bytes);
            for part in ["/StructTreeRoot", "/MarkInfo", "/Outlines", "pdfuaid"] {
                assert!(text.contains(part), "{part}");
            }
        }
    }

    #[test]
    fn directions_are_kept_apart() {
        let runs = fonts::runs("INC-1: שלום עולם, then 42");
        assert_eq!(
            runs,
            [(false, "INC-1: ".to_owned()), (true, "שלום עולם".to_owned()), (false, ", then 42".to_owned())]
        );
        assert_eq!(fonts::runs("plain 42"), [(false, "plain 42".to_owned())]);
    }

    #[test]
    fn every_cell_is_on_some_page_and_none_beside_it() {
        let fonts = fonts::Fonts::load().unwrap();
        let document = document(300);
        let laid = layout::lay_out(&fonts, &document);
        let (width, height) = laid.size;
        assert!(laid.pages.len() > 5);
        let mut words = 0;
        for op in laid.pages.iter().flatten() {
            if let layout::What::Text { text, size, face } = &op.what {
                words += text.matches("ordinary").count();
                assert!(op.x >= layout::MARGIN - 0.1, "{text}");
                assert!(op.x + fonts.width(text, *face, *size) <= width - layout::MARGIN + 0.5, "{text}");
                assert!(op.y > 0.0 && op.y < height, "{text}");
            }
        }
        assert!(words >= 300, "{words}");
    }
}
