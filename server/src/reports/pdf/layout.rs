//! Puts a document on pages: what stands where, and the tree of what it means.
use super::{
    Block, Document,
    fonts::{Face, Fonts},
};

pub const MARGIN: f32 = 42.0;
/// A4, in points.
const SHORT: f32 = 595.3;
const LONG: f32 = 841.9;
/// What stands below the text: the line of the foot.
const FOOT: f32 = 24.0;

const BODY: f32 = 9.0;
const CELL: f32 = 6.8;
const LEADING: f32 = 1.4;
const GAP: f32 = 6.0;
/// A word of a table that is wider may be broken.
const WORD: f32 = 48.0;

pub enum What {
    Text { text: String, size: f32, face: Face },
    Rect { width: f32, height: f32 },
    Line { width: f32 },
}

/// Something on a page: `y` is a text's base line, or the top.
pub struct Op {
    pub x: f32,
    pub y: f32,
    pub what: What,
    /// Its number in the tree; none: it only looks.
    pub leaf: Option<usize>,
}

pub enum Kind {
    Heading(u16, String),
    Text,
    Figure(String),
    Table(String),
    Row,
    Head,
    Side,
    Cell,
}

pub enum Node {
    Group(Kind, Vec<Node>),
    Leaf(usize),
}

pub struct Laid {
    pub size: (f32, f32),
    pub pages: Vec<Vec<Op>>,
    pub tree: Vec<Node>,
    pub leaves: usize,
    /// Level, words, page and height of each heading.
    pub outline: Vec<(u16, String, usize, f32)>,
}

struct Layout<'f> {
    fonts: &'f Fonts,
    laid: Laid,
    y: f32,
}

/// Wide where a table has many columns.
fn size(document: &Document) -> (f32, f32) {
    let columns = document.blocks.iter().map(|block| match block {
        Block::Table { columns, .. } => columns.len(),
        _ => 0,
    });
    if columns.max().unwrap_or_default() > 6 { (LONG, SHORT) } else { (SHORT, LONG) }
}

pub fn lay_out(fonts: &Fonts, document: &Document) -> Laid {
    let laid = Laid { size: size(document), pages: vec![Vec::new()], tree: Vec::new(), leaves: 0, outline: Vec::new() };
    let mut layout = Layout { fonts, laid, y: MARGIN };
    layout.heading(1, &document.title);
    for block in &document.blocks {
        match block {
            Block::Heading(level, words) => layout.heading(*level, words),
            Block::Text(words) => layout.text(words),
            Block::Facts(facts) => layout.facts(facts),
            Block::Bars { title, bars } => layout.bars(title, bars),
            Block::Table { title, columns, rows } => layout.table(title, columns, rows),
            Block::Page if layout.laid.pages.last().is_some_and(|page| !page.is_empty()) => layout.turn(),
            Block::Page => {}
        }
    }
    layout.laid
}

impl Layout<'_> {
    fn width(&self) -> f32 {
        self.laid.size.0 - 2.0 * MARGIN
    }

    fn bottom(&self) -> f32 {
        self.laid.size.1 - MARGIN - FOOT
    }

    fn turn(&mut self) {
        self.laid.pages.push(Vec::new());
        self.y = MARGIN;
    }

    /// Begins a page where so much does not fit on this one.
    fn needs(&mut self, height: f32) {
        if self.y + height > self.bottom() && self.y > MARGIN {
            self.turn();
        }
    }

    fn put(&mut self, x: f32, y: f32, what: What, leaf: Option<usize>) {
        if let Some(page) = self.laid.pages.last_mut() {
            page.push(Op { x, y, what, leaf });
        }
    }

    fn leaf(&mut self) -> usize {
        self.laid.leaves += 1;
        self.laid.leaves - 1
    }

    /// One line at a place; what it is in the tree.
    fn line(&mut self, x: f32, y: f32, text: String, size: f32, face: Face) -> Node {
        let leaf = self.leaf();
        self.put(x, y + size, What::Text { text, size, face }, Some(leaf));
        Node::Leaf(leaf)
    }

    fn paragraph(&mut self, words: &str, size: f32, face: Face) -> Vec<Node> {
        let mut nodes = Vec::new();
        for line in self.fonts.lines(words, face, size, self.width()) {
            self.needs(size * LEADING);
            let y = self.y;
            nodes.push(self.line(MARGIN, y, line, size, face));
            self.y += size * LEADING;
        }
        nodes
    }

    fn heading(&mut self, level: u16, words: &str) {
        let size = if level == 1 { 17.0 } else { 11.5 };
        if level > 1 {
            self.y += 2.0 * GAP;
        }
        // Not alone at the end of a page.
        self.needs(size * LEADING + 5.0 * BODY);
        let (page, y) = (self.laid.pages.len() - 1, self.y);
        let nodes = self.paragraph(words, size, Face::Bold);
        self.y += GAP / 2.0;
        self.laid.outline.push((level, words.to_owned(), page, y));
        self.laid.tree.push(Node::Group(Kind::Heading(level, words.to_owned()), nodes));
    }

    fn text(&mut self, words: &str) {
        let nodes = self.paragraph(words, BODY, Face::Plain);
        if !nodes.is_empty() {
            self.laid.tree.push(Node::Group(Kind::Text, nodes));
            self.y += GAP;
        }
    }

    /// A table whose first column says what the second is.
    fn facts(&mut self, facts: &[(String, String)]) {
        let first = 120.0;
        let mut rows = Vec::new();
        for (word, what) in facts {
            let mut lines = self.fonts.lines(what, Face::Plain, BODY, self.width() - first);
            if lines.is_empty() {
                lines.push("—".into());
            }
            self.needs(BODY * LEADING);
            let y = self.y;
            let side = self.line(MARGIN, y, self.fitted(word, first - GAP), BODY, Face::Bold);
            let mut cell = Vec::new();
            for line in lines {
                self.needs(BODY * LEADING);
                let y = self.y;
                cell.push(self.line(MARGIN + first, y, line, BODY, Face::Plain));
                self.y += BODY * LEADING;
            }
            self.y += 2.0;
            let row = vec![Node::Group(Kind::Side, vec![side]), Node::Group(Kind::Cell, cell)];
            rows.push(Node::Group(Kind::Row, row));
        }
        self.laid.tree.push(Node::Group(Kind::Table("What was asked".into()), rows));
        self.y += GAP;
    }

    fn bars(&mut self, title: &str, bars: &[(String, u64)]) {
        let Some(most) = bars.iter().map(|(_, count)| *count).max().filter(|most| *most > 0) else { return };
        let words: Vec<String> = bars.iter().map(|(label, count)| format!("{label}: {count}")).collect();
        let (label_width, number) = (150.0, 60.0);
        let plot = self.width() - label_width - number;
        self.needs(BODY * LEADING * (bars.len() as f32 + 2.0));
        let caption = self.paragraph(title, BODY, Face::Bold);
        self.laid.tree.push(Node::Group(Kind::Text, caption));
        self.y += 2.0;
        let mut nodes = Vec::new();
        for (label, count) in bars {
            self.needs(BODY * LEADING);
            let y = self.y;
            let label = self.fitted(label, label_width - GAP);
            nodes.push(self.line(MARGIN, y, label, BODY, Face::Plain));
            let width = plot * (*count as f32 / most as f32);
            if width > 0.0 {
                let leaf = self.leaf();
                self.put(MARGIN + label_width, y + 1.5, What::Rect { width, height: BODY }, Some(leaf));
                nodes.push(Node::Leaf(leaf));
            }
            nodes.push(self.line(MARGIN + label_width + width + 4.0, y, count.to_string(), BODY, Face::Plain));
            self.y += BODY * LEADING + 1.0;
        }
        self.laid.tree.push(Node::Group(Kind::Figure(format!("{title}: {}.", words.join(", "))), nodes));
        self.y += GAP;
    }

    /// One line of it; the whole stands in the figure's words.
    fn fitted(&self, text: &str, width: f32) -> String {
        let mut lines = self.fonts.lines(text, Face::Plain, BODY, width - self.fonts.width("…", Face::Plain, BODY));
        match lines.len() {
            0 => "—".into(),
            1 => lines.remove(0),
            _ => format!("{}…", lines[0]),
        }
    }

    /// Widths of columns: as wide as what stands in them where all fit; else each at least its longest ordinary word, and of
    /// the rest more where there is more to say.
    fn columns(&self, columns: &[String], rows: &[Vec<String>]) -> Vec<f32> {
        let measure = |text: &str, face: Face| self.fonts.width(text, face, CELL) + 2.0;
        let mut whole: Vec<f32> = columns.iter().map(|head| measure(head, Face::NarrowBold)).collect();
        let least = |head: &String| head.split(' ').map(|word| measure(word, Face::NarrowBold)).fold(0.0, f32::max);
        let mut least: Vec<f32> = columns.iter().map(least).collect();
        // Enough rows to know; each is wrapped anyway.
        for row in rows.iter().take(500) {
            for ((width, least), cell) in whole.iter_mut().zip(&mut least).zip(row) {
                let cell = self.fonts.shown(cell, Face::Narrow);
                *width = width.max(measure(&cell, Face::Narrow));
                let words = cell.split(' ').map(|word| measure(word, Face::Narrow));
                *least = words.filter(|width| *width <= WORD).fold(*least, f32::max);
            }
        }
        let room = self.width() - GAP * columns.len().saturating_sub(1) as f32;
        if whole.iter().sum::<f32>() <= room {
            return whole;
        }
        let wish: Vec<f32> = whole.iter().zip(&least).map(|(whole, least)| (whole - least).max(0.0).sqrt()).collect();
        let (rest, wishes) = (room - least.iter().sum::<f32>(), wish.iter().sum::<f32>().max(1.0));
        if rest <= 0.0 {
            return vec![room / columns.len().max(1) as f32; columns.len()];
        }
        least.iter().zip(&wish).map(|(least, wish)| least + rest * wish / wishes).collect()
    }

    fn cells(&mut self, widths: &[f32], cells: &[Vec<String>], face: Face, marks: bool) -> Vec<Vec<Node>> {
        let lines = cells.iter().map(Vec::len).max().unwrap_or_default();
        let mut nodes: Vec<Vec<Node>> = cells.iter().map(|_| Vec::new()).collect();
        for n in 0..lines {
            if marks {
                self.needs(CELL * LEADING);
            }
            let mut x = MARGIN;
            for (column, width) in widths.iter().enumerate() {
                if let Some(line) = cells.get(column).and_then(|cell| cell.get(n)).cloned() {
                    let y = self.y;
                    if marks {
                        nodes[column].push(self.line(x, y, line, CELL, face));
                    } else {
                        self.put(x, y + CELL, What::Text { text: line, size: CELL, face }, None);
                    }
                }
                x += width + GAP;
            }
            self.y += CELL * LEADING;
        }
        nodes
    }

    fn rule(&mut self) {
        let (y, width) = (self.y, self.width());
        self.put(MARGIN, y + 1.0, What::Line { width }, None);
        self.y += 3.0;
    }

    fn table(&mut self, title: &str, columns: &[String], rows: &[Vec<String>]) {
        let widths = self.columns(columns, rows);
        let wrap = |layout: &Self, cells: &[String], face: Face| -> Vec<Vec<String>> {
            let lines = cells.iter().zip(&widths).map(|(cell, width)| layout.fonts.lines(cell, face, CELL, *width));
            lines.map(|lines| if lines.is_empty() { vec!["—".to_owned()] } else { lines }).collect()
        };
        let head = wrap(self, columns, Face::NarrowBold);
        let height =
            |cells: &[Vec<String>]| cells.iter().map(Vec::len).max().unwrap_or_default() as f32 * CELL * LEADING + 4.0;
        self.needs(height(&head) + 4.0 * CELL * LEADING);
        let heads = self.cells(&widths, &head, Face::NarrowBold, true);
        self.rule();
        let heads = heads.into_iter().map(|nodes| Node::Group(Kind::Head, nodes)).collect();
        let mut tree = vec![Node::Group(Kind::Row, heads)];
        for row in rows {
            let cells = wrap(self, row, Face::Narrow);
            // A row stays together where it is not longer than a third of a page.
            let page = self.laid.pages.len();
            self.needs(height(&cells).min(self.bottom() / 3.0));
            if self.laid.pages.len() > page {
                self.cells(&widths, &head, Face::NarrowBold, false);
                self.rule();
            }
            let nodes = self.cells(&widths, &cells, Face::Narrow, true);
            self.rule();
            let nodes = nodes.into_iter().map(|nodes| Node::Group(Kind::Cell, nodes)).collect();
            tree.push(Node::Group(Kind::Row, nodes));
        }
        self.laid.tree.push(Node::Group(Kind::Table(title.to_owned()), tree));
    }
}
