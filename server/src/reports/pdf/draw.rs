//! Writes laid out pages with krilla, and the tree of tags beside them.
use super::{
    Document, Failure,
    fonts::{Face, Fonts, runs},
    layout::{Kind, Laid, MARGIN, Node, What},
};
use chrono::{Datelike, Timelike};
use krilla::{
    Document as Pdf, SerializeSettings,
    color::rgb,
    configure::{Accessibility, ConfigurationBuilder},
    destination::XyzDestination,
    geom::{PathBuilder, Point, Rect},
    metadata::{DateTime, Metadata},
    num::NormalizedF32,
    outline::{Outline, OutlineNode},
    page::PageSettings,
    paint::Fill,
    surface::Surface,
    tagging::{Artifact, ArtifactType, ContentTag, Identifier, SpanTag, TableHeaderScope, Tag, TagGroup, TagTree},
    text::TextDirection,
};
use std::num::NonZeroU16;

const INK: (u8, u8, u8) = (26, 32, 44);
const ACCENT: (u8, u8, u8) = (30, 58, 138);
const HAIR: (u8, u8, u8) = (203, 208, 216);
const SOFT: (u8, u8, u8) = (86, 94, 108);

fn fill((red, green, blue): (u8, u8, u8)) -> Option<Fill> {
    let paint = rgb::Color::new(red, green, blue).into();
    Some(Fill { paint, opacity: NormalizedF32::ONE, rule: krilla::paint::FillRule::default() })
}

fn rect(surface: &mut Surface<'_>, x: f32, y: f32, width: f32, height: f32) {
    let mut path = PathBuilder::new();
    if let Some(rect) = Rect::from_xywh(x, y, width, height) {
        path.push_rect(rect);
    }
    if let Some(path) = path.finish() {
        surface.draw_path(&path);
    }
}

/// One line of text, each of its runs in its own direction, from left to right.
fn line(
    surface: &mut Surface<'_>,
    fonts: &Fonts,
    face: Face,
    size: f32,
    (mut x, y): (f32, f32),
    text: &str,
) -> Result<(), Failure> {
    for (back, run) in runs(text) {
        let direction = if back { TextDirection::RightToLeft } else { TextDirection::LeftToRight };
        let font = fonts.font(face).ok_or(Failure::Font)?;
        surface.draw_text(Point::from_xy(x, y), font, size, &run, false, direction);
        x += fonts.width(&run, face, size);
    }
    Ok(())
}

fn settings() -> Result<SerializeSettings, Failure> {
    let configuration = ConfigurationBuilder::new().with_accessibility_validator(Accessibility::UA1).finish();
    let configuration = configuration.map_err(|why| Failure::Invalid(format!("{why:?}")))?;
    Ok(SerializeSettings { configuration, enable_tagging: true, ..SerializeSettings::default() })
}

pub fn draw(fonts: &Fonts, document: &Document, laid: Laid) -> Result<Vec<u8>, Failure> {
    let mut pdf = Pdf::new_with(settings()?);
    let (width, height) = laid.size;
    let count = laid.pages.len();
    let mut leaves: Vec<Option<Identifier>> = (0..laid.leaves).map(|_| None).collect();
    for (number, ops) in laid.pages.into_iter().enumerate() {
        let settings = PageSettings::from_wh(width, height).ok_or(Failure::Font)?;
        let mut page = pdf.start_page_with(settings);
        let mut surface = page.surface();
        for op in ops {
            let tag = match op.leaf {
                Some(_) => ContentTag::Span(SpanTag::empty()),
                None => ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)),
            };
            let identifier = surface.start_tagged(tag);
            match op.what {
                What::Text { text, size, face } => {
                    surface.set_fill(fill(INK));
                    line(&mut surface, fonts, face, size, (op.x, op.y), &text)?;
                }
                What::Rect { width, height } => {
                    surface.set_fill(fill(ACCENT));
                    rect(&mut surface, op.x, op.y, width, height);
                }
                What::Line { width } => {
                    surface.set_fill(fill(HAIR));
                    rect(&mut surface, op.x, op.y, width, 0.5);
                }
            }
            surface.end_tagged();
            if let Some(place) = op.leaf.and_then(|leaf| leaves.get_mut(leaf)) {
                *place = Some(identifier);
            }
        }
        surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Footer)));
        surface.set_fill(fill(SOFT));
        let (size, y) = (7.5, height - MARGIN + 4.0);
        let page_of = format!("Page {} of {count}", number + 1);
        let right = width - MARGIN - fonts.width(&page_of, Face::Narrow, size);
        let foot = fonts.lines(&document.foot, Face::Narrow, size, right - MARGIN - 20.0);
        let foot = foot.into_iter().next().unwrap_or_default();
        line(&mut surface, fonts, Face::Narrow, size, (MARGIN, y), &foot)?;
        line(&mut surface, fonts, Face::Narrow, size, (right, y), &page_of)?;
        surface.end_tagged();
        surface.finish();
        page.finish();
    }
    let mut tree = TagTree::new().with_lang(Some("en".into()));
    for node in laid.tree {
        if let Some(group) = group(node, &mut leaves) {
            tree.push(group);
        }
    }
    pdf.set_tag_tree(tree);
    pdf.set_outline(outline(laid.outline));
    pdf.set_metadata(metadata(document));
    pdf.finish().map_err(|why| Failure::Invalid(format!("{why:?}")))
}

fn group(node: Node, leaves: &mut [Option<Identifier>]) -> Option<krilla::tagging::Node> {
    let (kind, children) = match node {
        Node::Leaf(leaf) => return leaves.get_mut(leaf)?.take().map(Into::into),
        Node::Group(kind, children) => (kind, children),
    };
    let mut group = match kind {
        Kind::Heading(level, words) => TagGroup::new(Tag::Hn(NonZeroU16::new(level)?, Some(words))),
        Kind::Text => TagGroup::new(Tag::P),
        Kind::Figure(words) => TagGroup::new(Tag::Figure(Some(words))),
        Kind::Table(summary) => TagGroup::new(Tag::Table.with_summary(Some(summary))),
        Kind::Row => TagGroup::new(Tag::TR),
        Kind::Head => TagGroup::new(Tag::TH(TableHeaderScope::Column)),
        Kind::Side => TagGroup::new(Tag::TH(TableHeaderScope::Row)),
        Kind::Cell => TagGroup::new(Tag::TD),
    };
    for child in children {
        if let Some(child) = self::group(child, leaves) {
            group.push(child);
        }
    }
    Some(group.into())
}

/// Headings of level 2 and deeper below the title.
fn outline(headings: Vec<(u16, String, usize, f32)>) -> Outline {
    let mut outline = Outline::new();
    let mut title: Option<OutlineNode> = None;
    for (level, words, page, y) in headings {
        let node = OutlineNode::new(words, XyzDestination::new(page, Point::from_xy(MARGIN, y)));
        match (&mut title, level) {
            (Some(title), 2..) => title.push_child(node),
            (_, _) => title = Some(node),
        }
    }
    if let Some(title) = title {
        outline.push_child(title);
    }
    outline
}

fn metadata(document: &Document) -> Metadata {
    let at = document.made_at;
    let byte = |number: u32| u8::try_from(number).unwrap_or_default();
    let date = DateTime::new(u16::try_from(at.year()).unwrap_or_default())
        .month(byte(at.month()))
        .day(byte(at.day()))
        .hour(byte(at.hour()))
        .minute(byte(at.minute()))
        .second(byte(at.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    Metadata::new()
        .title(document.title.clone())
        .language("en".into())
        .creator(concat!("Countersign ", env!("CARGO_PKG_VERSION")).into())
        .creation_date(date)
}
